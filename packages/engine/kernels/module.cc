// The kernels as a module of Node.js: `{ version, level, threads }`, or `{ version, fault }` where they cannot be used.
#include <node_api.h>

#include "functions.h"
#include "operations.h"
#include "threads.h"

// What the operations are called and what they mean; the same number stands where graphs are written with them.
#define METAAPO_KERNELS_VERSION 1

namespace {

void set_number(napi_env env, napi_value object, const char* name, int number) {
  napi_value value;
  napi_create_int32(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

void set_text(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, object, name, value);
}

napi_value initialize(napi_env env, napi_value exports) {
  // A process may load the module in several threads of Node.js.
  static const char* const fault = metaapo::register_operations();
  set_number(env, exports, "version", METAAPO_KERNELS_VERSION);
  if (fault != nullptr) {
    set_text(env, exports, "fault", fault);
    return exports;
  }
  set_text(env, exports, "level", metaapo::functions()->level);
  set_number(env, exports, "threads", metaapo::thread_count());
  return exports;
}

}  // namespace

NAPI_MODULE(metaapo_kernels, initialize)
