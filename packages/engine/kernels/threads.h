// Work cut into tasks that a few threads of this library share.
#pragma once
#include <cstddef>
#include <cstdint>

namespace metaapo {

using Task = void (*)(const void* context, int64_t task);

// Threads that work side by side, the caller's included: TF_NUM_INTRAOP_THREADS, or as many as the process may use.
int thread_count();

// With a limit of 1 the caller's thread does all work, which is for tests.
void limit_threads(int count);

// Runs task(context, i) for each i below `tasks`, in no certain order. Where the threads have other work already, the
// caller's does all of it. What a task computes must not depend on who runs it.
void run_tasks(int64_t tasks, Task task, const void* context);

template <class Function>
void parallel(int64_t tasks, const Function& function) {
  run_tasks(
      tasks, [](const void* context, int64_t task) { (*static_cast<const Function*>(context))(task); }, &function);
}

// Memory of this thread that lasts until its next call, aligned to 64 bytes; null where there is no more.
void* scratch(std::size_t bytes);

}  // namespace metaapo
