// The kernels as a module of Node.js: `{ version, levels, threads, use }`, or `{ version, fault }` where they cannot be used.
#include <node_api.h>

#include <cstring>

#include "levels.h"
#include "operations.h"
#include "threads.h"

// What the operations are called, what they mean, and their last bits; the same number stands where graphs are written with them.
#define METAAPO_KERNELS_VERSION 5

namespace {

napi_value number(napi_env env, int value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value text(napi_env env, const char* value) {
  napi_value result;
  napi_create_string_utf8(env, value, NAPI_AUTO_LENGTH, &result);
  return result;
}

// use(level, threads): the functions of a level, by threads up to a limit; for tests.
napi_value use(napi_env env, napi_callback_info info) {
  napi_value given[2];
  size_t count = 2;
  char level[32] = "";
  int32_t threads = 0;
  napi_get_cb_info(env, info, &count, given, nullptr, nullptr);
  napi_get_value_string_utf8(env, given[0], level, sizeof(level), nullptr);
  napi_get_value_int32(env, given[1], &threads);
  for (const metaapo::Functions* const table : metaapo::levels())
    if (std::strcmp(table->level, level) == 0) metaapo::choose_functions(table);
  metaapo::limit_threads(threads);
  return nullptr;
}

napi_value initialize(napi_env env, napi_value exports) {
  // A process may load the module in several threads of Node.js.
  static const char* const fault = metaapo::register_operations();
  napi_set_named_property(env, exports, "version", number(env, METAAPO_KERNELS_VERSION));
  if (fault != nullptr) {
    napi_set_named_property(env, exports, "fault", text(env, fault));
    return exports;
  }
  napi_value levels, function;
  napi_create_array(env, &levels);
  uint32_t index = 0;
  for (const metaapo::Functions* const table : metaapo::levels())
    napi_set_element(env, levels, index++, text(env, table->level));
  napi_create_function(env, "use", NAPI_AUTO_LENGTH, use, nullptr, &function);
  napi_set_named_property(env, exports, "levels", levels);
  napi_set_named_property(env, exports, "threads", number(env, metaapo::thread_count()));
  napi_set_named_property(env, exports, "use", function);
  return exports;
}

}  // namespace

NAPI_MODULE(metaapo_kernels, initialize)
