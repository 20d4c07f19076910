import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { bindingFile } from './native-package.js';

/**
 * C++ of a small addon: between `begin` and `end`, what the process writes to standard error passes through a pipe, without
 * the notes that TensorFlow writes while its libraries are opened, which is before it looks at TF_CPP_MIN_LOG_LEVEL. Every
 * other line goes on at once.
 */
export const QUIET_SOURCE = `
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <node_api.h>
#include <poll.h>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace {

int original = -1;
int text_pipe[2];
int stop_pipe[2];
std::thread reader;

bool has(const std::string& line, const char* part) { return line.find(part) != std::string::npos; }

bool is_note(const std::string& line) {
  if (line.rfind("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR", 0) == 0) return true;
  if (line.rfind("To enable the following instructions: ", 0) == 0) return has(line, "rebuild TensorFlow with the appropriate");
  if (line[0] != 'I') return false;
  return (has(line, " port.cc:") && has(line, "] oneDNN custom operations are on.")) ||
         (has(line, " cpu_feature_guard.cc:") && has(line, "] This TensorFlow binary is optimized to use available CPU"));
}

void pass_on(const std::string& line) {
  for (size_t done = 0; done < line.size();) {
    ssize_t count = write(original, line.data() + done, line.size() - done);
    if (count < 0 && errno != EINTR && errno != EAGAIN) return;
    if (count > 0) done += count;
  }
}

void read_lines() {
  std::string text;
  char buffer[4096];
  bool stopping = false;
  for (;;) {
    pollfd ready[] = {{text_pipe[0], POLLIN, 0}, {stop_pipe[0], POLLIN, 0}};
    if (poll(ready, 2, stopping ? 0 : -1) < 0) continue;
    if (ready[0].revents & POLLIN) {
      ssize_t count = read(text_pipe[0], buffer, sizeof buffer);
      if (count > 0) text.append(buffer, count);
      for (size_t end; (end = text.find('\\n')) != std::string::npos; text.erase(0, end + 1)) {
        std::string line = text.substr(0, end + 1);
        if (!is_note(line)) pass_on(line);
      }
    } else if (stopping) {
      break;
    } else if (ready[1].revents != 0) {
      stopping = true;
    }
  }
  pass_on(text);
}

bool open_pipe(int ends[2]) {
  if (pipe(ends) != 0) return false;
  for (int end = 0; end < 2; end++) fcntl(ends[end], F_SETFD, FD_CLOEXEC);
  return true;
}

void close_pipe(int ends[2]) {
  close(ends[0]);
  close(ends[1]);
}

void give_up() {
  close(original);
  original = -1;
}

napi_value begin(napi_env, napi_callback_info) {
  if (original >= 0) return nullptr;
  original = fcntl(2, F_DUPFD_CLOEXEC, 3);
  if (original < 0) return nullptr;
  if (!open_pipe(text_pipe)) return give_up(), nullptr;
  if (!open_pipe(stop_pipe)) return close_pipe(text_pipe), give_up(), nullptr;
  try {
    reader = std::thread(read_lines);
    dup2(text_pipe[1], 2);
  } catch (const std::system_error&) {
    close_pipe(text_pipe);
    close_pipe(stop_pipe);
    give_up();
  }
  return nullptr;
}

napi_value end(napi_env, napi_callback_info) {
  if (original < 0) return nullptr;
  std::fflush(stderr);
  dup2(original, 2);
  ssize_t written = write(stop_pipe[1], "", 1);
  (void)written;
  reader.join();
  close_pipe(text_pipe);
  close_pipe(stop_pipe);
  give_up();
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, nullptr, 0, begin, nullptr, &function);
  napi_set_named_property(env, exports, "begin", function);
  napi_create_function(env, nullptr, 0, end, nullptr, &function);
  napi_set_named_property(env, exports, "end", function);
  return exports;
}
`;

/** Name of the addon of {@link QUIET_SOURCE}, which lies beside the binding that it was compiled with. */
export const QUIET_FILE = 'metaapo_quiet.node';

/**
 * Opens TensorFlow's libraries by an action, without the notes that they write meanwhile. They stay where the package has no
 * addon for it, and where TF_CPP_MIN_LOG_LEVEL asks for notes.
 */
export function withoutNotes<Result>(packageDirectory: string, action: () => Result): Result {
  const file = join(dirname(bindingFile(packageDirectory)), QUIET_FILE);
  if (process.env.TF_CPP_MIN_LOG_LEVEL === '0' || !existsSync(file)) return action();
  const { begin, end } = createRequire(import.meta.url)(file) as { begin(): void; end(): void };
  begin();
  try {
    return action();
  } finally {
    end();
  }
}
