// The addon that is asked to keep TensorFlow's notes away, for Windows. Node sets variables of the process, and TensorFlow
// asks the C runtime, which has a copy of its own: the level of its log is carried over before TensorFlow is loaded.
#include <node_api.h>
#include <windows.h>

namespace {

napi_value begin(napi_env, napi_callback_info) {
  char value[8];
  const DWORD length = GetEnvironmentVariableA("TF_CPP_MIN_LOG_LEVEL", value, sizeof value);
  const HMODULE runtime = LoadLibraryExA("ucrtbase.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (length == 0 || length >= sizeof value || runtime == nullptr) return nullptr;
  using Set = int (*)(const char*, const char*);
  const auto set = reinterpret_cast<Set>(reinterpret_cast<void*>(GetProcAddress(runtime, "_putenv_s")));
  if (set != nullptr) set("TF_CPP_MIN_LOG_LEVEL", value);
  return nullptr;
}

napi_value end(napi_env, napi_callback_info) { return nullptr; }

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, nullptr, 0, begin, nullptr, &function);
  napi_set_named_property(env, exports, "begin", function);
  napi_create_function(env, nullptr, 0, end, nullptr, &function);
  napi_set_named_property(env, exports, "end", function);
  return exports;
}
