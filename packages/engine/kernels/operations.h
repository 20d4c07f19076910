#pragma once

namespace metaapo {

// Tells TensorFlow of the operations and their kernels; null, or what went wrong.
const char* register_operations();

}  // namespace metaapo
