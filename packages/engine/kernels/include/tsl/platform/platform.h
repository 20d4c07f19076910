// In the place of TensorFlow's header of this name, which its C API for kernels includes to learn what it is built for. The
// small build leaves out what asks for headers that the C API does not come with.
#define IS_SLIM_BUILD
