// The kernels as operations of TensorFlow, through its C API. What they compute does not depend on the number of threads:
// work is cut by sizes alone, and sums of rows are made of the same parts in the same order.
#include "operations.h"

#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "levels.h"
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"
#include "threads.h"

namespace metaapo {
namespace {

struct Attributes {
  float number = 0;   // epsilon, scale or cap
  int64_t heads = 0;
  int64_t groups = 0;
  int64_t window = 0;
  bool back = false;
};

std::vector<int64_t> shape_of(const TF_Tensor* tensor) {
  std::vector<int64_t> shape;
  for (int axis = 0; axis < TF_NumDims(tensor); axis++) shape.push_back(TF_Dim(tensor, axis));
  return shape;
}

// One run of an operation: its inputs and outputs, and whether all went well so far.
class Run {
 public:
  Run(const Attributes& attributes, TF_OpKernelContext* context)
      : attributes(attributes), context_(context), status_(TF_NewStatus()) {}
  ~Run() {
    if (TF_GetCode(status_) != TF_OK) TF_OpKernelContext_Failure(context_, status_);
    for (TF_Tensor* tensor : tensors_) TF_DeleteTensor(tensor);
    TF_DeleteStatus(status_);
  }

  TF_Tensor* input(int index) {
    TF_Tensor* tensor = nullptr;
    TF_GetInput(context_, index, &tensor, status_);
    return kept(tensor);
  }
  TF_Tensor* output(int index, const std::vector<int64_t>& shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    const TF_DataType type = TF_ExpectedOutputDataType(context_, index);
    const size_t bytes = static_cast<size_t>(count) * TF_DataTypeSize(type);
    return kept(TF_AllocateOutput(context_, index, type, shape.data(), static_cast<int>(shape.size()), bytes, status_));
  }
  // In the memory of input 0, `tensor`, where that has the type of the output and no other reader.
  TF_Tensor* output_over(int index, const TF_Tensor* tensor) {
    if (TF_ExpectedOutputDataType(context_, index) != TF_TensorType(tensor)) return output_like(index, tensor);
    const std::vector<int64_t> shape = shape_of(tensor);
    const int candidate = 0;
    int forwarded = -1;
    return kept(TF_ForwardInputOrAllocateOutput(context_, &candidate, 1, index, shape.data(),
                                                static_cast<int>(shape.size()), &forwarded, status_));
  }
  TF_Tensor* output_like(int index, const TF_Tensor* tensor) { return output(index, shape_of(tensor)); }
  bool require(bool holds, const char* otherwise) {
    if (!holds && good()) TF_SetStatus(status_, TF_INVALID_ARGUMENT, otherwise);
    return good();
  }
  bool good() const { return TF_GetCode(status_) == TF_OK; }
  // Runs tasks that say whether they had the memory that they need.
  template <class Task>
  void run_tiles(size_t tasks, const Task& task) {
    std::vector<char> done(tasks);
    parallel(static_cast<int64_t>(tasks), [&](int64_t index) { done[index] = task(index); });
    for (const char is_done : done)
      if (!is_done) TF_SetStatus(status_, TF_RESOURCE_EXHAUSTED, "no memory for the tiles of attention");
  }

  const Attributes& attributes;

 private:
  TF_Tensor* kept(TF_Tensor* tensor) {
    if (tensor != nullptr) tensors_.push_back(tensor);
    return tensor;
  }

  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> tensors_;
};

Numbers numbers(const TF_Tensor* tensor) { return {TF_TensorData(tensor), TF_TensorType(tensor) == TF_BFLOAT16}; }
float* floats(const TF_Tensor* tensor) { return static_cast<float*>(TF_TensorData(tensor)); }
int64_t size(const TF_Tensor* tensor) { return TF_TensorElementCount(tensor); }
int64_t width(const TF_Tensor* tensor) { return TF_Dim(tensor, TF_NumDims(tensor) - 1); }

constexpr int64_t kElements = 1 << 15;  // of a task
constexpr int64_t kRows = 32;           // of a task

// body(begin, end) over parts of `count` things.
template <class Body>
void in_parts(int64_t count, int64_t part, const Body& body) {
  parallel((count + part - 1) / part, [&](int64_t task) {
    const int64_t begin = task * part;
    body(begin, begin + part < count ? begin + part : count);
  });
}

void cast(Run& run) {
  TF_Tensor* x = run.input(0);
  if (!run.good()) return;
  TF_Tensor* y = run.output_like(0, x);
  if (!run.good()) return;
  in_parts(size(x), kElements,
           [&](int64_t begin, int64_t end) { functions()->cast(numbers(x), numbers(y), begin, end); });
}

void add(Run& run) {
  TF_Tensor *a = run.input(0), *b = run.input(1);
  if (!run.good() || !run.require(size(a) == size(b), "addends of different sizes")) return;
  TF_Tensor* y = run.output_like(0, a);
  if (!run.good()) return;
  in_parts(size(a), kElements,
           [&](int64_t begin, int64_t end) { functions()->add(numbers(a), numbers(b), floats(y), begin, end); });
}

void rms_norm(Run& run) {
  TF_Tensor *x = run.input(0), *w = run.input(1);
  if (!run.good() || !run.require(TF_NumDims(x) == 2 && size(w) == width(x), "a weight of another size")) return;
  TF_Tensor* y = run.output_like(0, x);
  if (!run.good()) return;
  in_parts(TF_Dim(x, 0), kRows, [&](int64_t begin, int64_t end) {
    functions()->rms_norm(numbers(x), floats(w), numbers(y), run.attributes.number, width(x), begin, end);
  });
}

void rms_norm_gradient(Run& run) {
  TF_Tensor *g = run.input(0), *x = run.input(1), *w = run.input(2);
  if (!run.good() || !run.require(TF_NumDims(x) == 2 && size(w) == width(x) && size(g) == size(x), "different sizes"))
    return;
  TF_Tensor *dx = run.output_like(0, x), *dw = run.output_like(1, w);
  if (!run.good()) return;
  const int64_t columns = width(x), parts = (TF_Dim(x, 0) + kRows - 1) / kRows;
  const std::unique_ptr<float[]> sums(new float[parts * columns]);
  in_parts(TF_Dim(x, 0), kRows, [&](int64_t begin, int64_t end) {
    functions()->rms_norm_gradient(numbers(g), numbers(x), floats(w), floats(dx), sums.get() + begin / kRows * columns,
                                   run.attributes.number, columns, begin, end);
  });
  std::memset(floats(dw), 0, columns * sizeof(float));
  for (int64_t part = 0; part < parts; part++)
    functions()->add({floats(dw), false}, {sums.get() + part * columns, false}, floats(dw), 0, columns);
}

void gated_silu(Run& run) {
  TF_Tensor *gate = run.input(0), *up = run.input(1);
  if (!run.good() || !run.require(size(gate) == size(up), "a gate of another size")) return;
  TF_Tensor* y = run.output_like(0, gate);
  if (!run.good()) return;
  in_parts(size(gate), kElements, [&](int64_t begin, int64_t end) {
    functions()->gated_silu(numbers(gate), numbers(up), numbers(y), begin, end);
  });
}

void gated_silu_gradient(Run& run) {
  TF_Tensor *g = run.input(0), *gate = run.input(1), *up = run.input(2);
  if (!run.good() || !run.require(size(gate) == size(up) && size(g) == size(gate), "a gate of another size")) return;
  TF_Tensor *dgate = run.output_like(0, gate), *dup = run.output_like(1, gate);
  if (!run.good()) return;
  in_parts(size(gate), kElements, [&](int64_t begin, int64_t end) {
    functions()->gated_silu_gradient(numbers(g), numbers(gate), numbers(up), numbers(dgate), numbers(dup), begin, end);
  });
}

void rotate(Run& run) {
  TF_Tensor *x = run.input(0), *cosines = run.input(1), *sines = run.input(2);
  if (!run.good()) return;
  const int heads = static_cast<int>(run.attributes.heads);
  const int64_t tokens = TF_Dim(cosines, 0);
  const bool fits = TF_Dim(x, 0) == tokens * heads && size(cosines) == size(sines) && width(x) >= 2 * width(cosines);
  if (!run.require(fits, "angles for other tokens")) return;
  TF_Tensor* y = run.output_like(0, x);
  if (!run.good()) return;
  const int dim = static_cast<int>(width(x)), half = static_cast<int>(width(cosines));
  in_parts(tokens, kRows, [&](int64_t begin, int64_t end) {
    functions()->rotate(numbers(x), floats(cosines), floats(sines), numbers(y), run.attributes.number,
                        run.attributes.back, heads, dim, half, begin, end);
  });
}

constexpr int64_t kLogitRows = 4;  // of a task

bool check_targets(Run& run, const TF_Tensor* logits, const TF_Tensor* targets) {
  if (!run.good() || !run.require(TF_NumDims(logits) == 2 && size(targets) == TF_Dim(logits, 0), "other targets"))
    return false;
  const auto* all = static_cast<const int32_t*>(TF_TensorData(targets));
  for (int64_t row = 0; row < size(targets); row++)
    if (!run.require(all[row] >= 0 && all[row] < width(logits), "a target outside of the vocabulary")) return false;
  return true;
}

void losses(Run& run) {
  TF_Tensor *logits = run.input(0), *targets = run.input(1);
  if (!check_targets(run, logits, targets)) return;
  TF_Tensor* y = run.output_like(0, targets);
  if (!run.good()) return;
  in_parts(TF_Dim(logits, 0), kLogitRows, [&](int64_t begin, int64_t end) {
    functions()->losses(numbers(logits), static_cast<const int32_t*>(TF_TensorData(targets)), floats(y),
                        width(logits), begin, end);
  });
}

void residual(Run& run) {
  TF_Tensor *logits = run.input(0), *targets = run.input(1);
  if (!check_targets(run, logits, targets)) return;
  TF_Tensor* y = run.output_over(0, logits);
  if (!run.good()) return;
  in_parts(TF_Dim(logits, 0), kLogitRows, [&](int64_t begin, int64_t end) {
    functions()->residual(numbers(logits), static_cast<const int32_t*>(TF_TensorData(targets)), numbers(y),
                          width(logits), begin, end);
  });
}

void draw(Run& run) {
  TF_Tensor *logits = run.input(0), *shares = run.input(1);
  if (!run.good()) return;
  const bool fits = TF_NumDims(logits) == 2 && size(shares) == TF_Dim(logits, 0) && width(logits) > 0;
  if (!run.require(fits, "shares of other rows")) return;
  TF_Tensor *columns = run.output_like(0, shares), *y = run.output_like(1, shares);
  if (!run.good()) return;
  in_parts(TF_Dim(logits, 0), kLogitRows, [&](int64_t begin, int64_t end) {
    functions()->draw(floats(logits), floats(shares), static_cast<int32_t*>(TF_TensorData(columns)), floats(y),
                      width(logits), begin, end);
  });
}

// Writes into the memory of its inputs 0 to 2, which are the variables' own.
void adamw(Run& run) {
  TF_Tensor* of[4];
  for (int i = 0; i < 4; i++) of[i] = run.input(i);
  float with[6];
  for (int i = 0; i < 6; i++) {
    TF_Tensor* scalar = run.input(4 + i);
    if (!run.good()) return;
    with[i] = floats(scalar)[0];
  }
  for (int i = 1; i < 4; i++)
    if (!run.require(size(of[i]) == size(of[0]), "moments of another size")) return;
  const AdamW settings{with[0], with[1], with[2], with[3], with[4], with[5]};
  in_parts(size(of[0]), kElements, [&](int64_t begin, int64_t end) {
    functions()->adamw(floats(of[0]), floats(of[1]), floats(of[2]), floats(of[3]), settings, begin, end);
  });
}

// Rows into the memory of input 0, which is a variable's own; each is named once.
void write_rows(Run& run) {
  TF_Tensor *all = run.input(0), *indices = run.input(1), *rows = run.input(2);
  if (!run.good() || !run.require(TF_NumDims(all) == 2 && TF_NumDims(rows) == 2 && width(rows) == width(all) &&
                                      TF_Dim(rows, 0) == size(indices),
                                  "rows of another width"))
    return;
  const auto* places = static_cast<const int32_t*>(TF_TensorData(indices));
  for (int64_t row = 0; row < size(indices); row++)
    if (!run.require(places[row] >= 0 && places[row] < TF_Dim(all, 0), "a row that is not there")) return;
  const size_t bytes = width(all) * TF_DataTypeSize(TF_TensorType(all));
  auto* to = static_cast<char*>(TF_TensorData(all));
  const auto* from = static_cast<const char*>(TF_TensorData(rows));
  for (int64_t row = 0; row < size(indices); row++) std::memcpy(to + places[row] * bytes, from + row * bytes, bytes);
}

AttentionForm form_of(const Attributes& attributes, const TF_Tensor* query) {
  return {static_cast<int>(attributes.heads), static_cast<int>(attributes.groups), static_cast<int>(width(query)),
          static_cast<int>(attributes.window), attributes.number};
}

// Segments lie within the tokens, and their contexts too.
bool fit(const Segment* segments, int64_t count, int64_t tokens) {
  for (int64_t i = 0; i < count; i++) {
    const Segment& s = segments[i];
    if (s.start < 0 || s.length < 0 || int64_t{s.start} + s.length > tokens) return false;
    if (s.context_start < 0 || s.context_length < 0 || int64_t{s.context_start} + s.context_length > tokens)
      return false;
  }
  return true;
}

bool check_attention(Run& run, const TF_Tensor* query, const TF_Tensor* key, const TF_Tensor* value,
                     const TF_Tensor* segments) {
  const auto& [cap, heads, groups, window, back] = run.attributes;
  const int64_t tokens = TF_Dim(query, 0) / heads;
  const bool same = numbers(query).narrow == numbers(key).narrow && numbers(key).narrow == numbers(value).narrow;
  return run.require(same && heads % groups == 0 && TF_Dim(key, 0) == tokens * groups && size(key) == size(value) &&
                         width(key) == width(query) && width(segments) == 4,
                     "heads that do not fit together") &&
         run.require(fit(static_cast<const Segment*>(TF_TensorData(segments)), TF_Dim(segments, 0), tokens),
                     "segments outside of the tokens");
}

constexpr int kQueriesOfTask = 256;

void attention(Run& run) {
  TF_Tensor *query = run.input(0), *key = run.input(1), *value = run.input(2), *segments = run.input(3);
  if (!run.good() || !check_attention(run, query, key, value, segments)) return;
  TF_Tensor *output = run.output_like(0, query), *scales = run.output(1, {TF_Dim(query, 0), 2});
  if (!run.good()) return;
  std::memset(TF_TensorData(output), 0, TF_TensorByteSize(output));
  std::memset(TF_TensorData(scales), 0, TF_TensorByteSize(scales));
  const AttentionTensors tensors{numbers(query), numbers(key), numbers(value), numbers(output), floats(scales)};
  const AttentionForm form = form_of(run.attributes, query);
  struct Part {
    const Segment* segment;
    int from, to;
  };
  std::vector<Part> parts;
  const auto* all = static_cast<const Segment*>(TF_TensorData(segments));
  for (int64_t i = 0; i < TF_Dim(segments, 0); i++)
    for (int from = 0; from < all[i].length; from += kQueriesOfTask)
      parts.push_back({all + i, from, from + kQueriesOfTask < all[i].length ? from + kQueriesOfTask : all[i].length});
  run.run_tiles(parts.size() * form.groups, [&](int64_t task) {
    const Part& part = parts[task / form.groups];
    const int group = static_cast<int>(task % form.groups);
    return functions()->attention(tensors, form, *part.segment, part.from, part.to, group);
  });
}

void attention_gradient(Run& run) {
  TF_Tensor *gradient = run.input(0), *output = run.input(1), *scales = run.input(2);
  TF_Tensor *query = run.input(3), *key = run.input(4), *value = run.input(5), *segments = run.input(6);
  if (!run.good() || !check_attention(run, query, key, value, segments)) return;
  const bool narrow = numbers(query).narrow;
  const bool same = numbers(gradient).narrow == narrow && numbers(output).narrow == narrow &&
                    size(gradient) == size(query) && size(output) == size(query) && size(scales) == 2 * TF_Dim(query, 0);
  if (!run.require(same, "another gradient")) return;
  TF_Tensor *dq = run.output_like(0, query), *dk = run.output_like(1, key), *dv = run.output_like(2, value);
  if (!run.good()) return;
  for (TF_Tensor* tensor : {dq, dk, dv}) std::memset(TF_TensorData(tensor), 0, TF_TensorByteSize(tensor));
  const AttentionTensors tensors{numbers(query), numbers(key), numbers(value), numbers(output), floats(scales)};
  const AttentionGradients gradients{numbers(gradient), numbers(dq), numbers(dk), numbers(dv)};
  const AttentionForm form = form_of(run.attributes, query);
  const auto* all = static_cast<const Segment*>(TF_TensorData(segments));
  const int64_t count = TF_Dim(segments, 0);
  std::vector<int64_t> families;
  for (int64_t i = 0; i < count; i++)
    if (all[i].context_length == 0) families.push_back(i);
  families.push_back(count);
  run.run_tiles((families.size() - 1) * form.groups, [&](int64_t task) {
    const int64_t family = task / form.groups, first = families[family];
    const int group = static_cast<int>(task % form.groups);
    return functions()->attention_gradient(tensors, gradients, form, all + first,
                                           static_cast<int>(families[family + 1] - first), group);
  });
}

constexpr int64_t kSequencesOfTask = 4;

bool fits(const Span& span, int64_t groups, int64_t rows) {
  return span.row >= 0 && span.stride >= 0 && span.length >= 0 &&
         (span.length == 0 || span.row + (groups - 1) * span.stride + span.length <= rows);
}

// Sequences of one prompt stand side by side: its keys stay in the cache of the processor that a task runs on.
void cached_attention(Run& run) {
  TF_Tensor *query = run.input(0), *keys = run.input(1), *values = run.input(2), *sequences = run.input(3);
  if (!run.good()) return;
  const AttentionForm form = form_of(run.attributes, query);
  const int64_t count = TF_Dim(sequences, 0);
  const bool together = form.heads % form.groups == 0 && TF_Dim(query, 0) == count * form.heads &&
                        width(keys) == width(query) && size(keys) == size(values) && width(sequences) == 6;
  if (!run.require(together, "heads that do not fit together")) return;
  const auto* all = static_cast<const CachedSequence*>(TF_TensorData(sequences));
  for (int64_t i = 0; i < count; i++) {
    const bool inside = fits(all[i].prompt, form.groups, TF_Dim(keys, 0)) && fits(all[i].own, form.groups, TF_Dim(keys, 0));
    if (!run.require(inside, "a sequence outside of the cache")) return;
  }
  TF_Tensor* output = run.output_like(0, query);
  if (!run.good()) return;
  const CachedTensors tensors{numbers(query), numbers(keys), numbers(values), numbers(output), all};
  run.run_tiles((count + kSequencesOfTask - 1) / kSequencesOfTask * form.groups, [&](int64_t task) {
    const int64_t first = task / form.groups * kSequencesOfTask;
    const int64_t last = first + kSequencesOfTask < count ? first + kSequencesOfTask : count;
    return functions()->cached_attention(tensors, form, static_cast<int>(first), static_cast<int>(last),
                                         static_cast<int>(task % form.groups));
  });
}

bool has(TF_OpKernelConstruction* construction, const char* name, TF_Status* status) {
  return TF_OpKernelConstruction_HasAttr(construction, name, status) && TF_GetCode(status) == TF_OK;
}

void* create(TF_OpKernelConstruction* construction) {
  auto* attributes = new Attributes();
  TF_Status* status = TF_NewStatus();
  unsigned char back = 0;
  for (const char* name : {"epsilon", "scale", "cap"})
    if (has(construction, name, status))
      TF_OpKernelConstruction_GetAttrFloat(construction, name, &attributes->number, status);
  const std::initializer_list<std::pair<const char*, int64_t*>> counts = {
      {"heads", &attributes->heads}, {"groups", &attributes->groups}, {"window", &attributes->window}};
  for (const auto& [name, value] : counts)
    if (has(construction, name, status)) TF_OpKernelConstruction_GetAttrInt64(construction, name, value, status);
  if (has(construction, "back", status)) TF_OpKernelConstruction_GetAttrBool(construction, "back", &back, status);
  attributes->back = back != 0;
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return attributes;
}

void destroy(void* attributes) { delete static_cast<Attributes*>(attributes); }

template <void (*Compute)(Run&)>
void compute(void* attributes, TF_OpKernelContext* context) {
  Run run(*static_cast<const Attributes*>(attributes), context);
  Compute(run);
}

void unknown_shape(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

struct Operation {
  const char* name;
  std::initializer_list<const char*> attributes;
  std::initializer_list<const char*> inputs;
  std::initializer_list<const char*> outputs;
  void (*compute)(void*, TF_OpKernelContext*);
};

#define METAAPO_TYPE(name) #name ": {float, bfloat16}"

const Operation kOperations[] = {
    {"MetaapoCast", {METAAPO_TYPE(X), METAAPO_TYPE(Y)}, {"x: X"}, {"output: Y"}, compute<cast>},
    {"MetaapoAdd", {METAAPO_TYPE(A), METAAPO_TYPE(B)}, {"a: A", "b: B"}, {"output: float"}, compute<add>},
    {"MetaapoRmsNorm",
     {METAAPO_TYPE(X), METAAPO_TYPE(Y), "epsilon: float"},
     {"x: X", "weight: float"},
     {"output: Y"},
     compute<rms_norm>},
    {"MetaapoRmsNormGradient",
     {METAAPO_TYPE(G), METAAPO_TYPE(X), "epsilon: float"},
     {"gradient: G", "x: X", "weight: float"},
     {"dx: float", "dweight: float"},
     compute<rms_norm_gradient>},
    {"MetaapoGatedSilu",
     {METAAPO_TYPE(X), METAAPO_TYPE(Y)},
     {"gate: X", "up: X"},
     {"output: Y"},
     compute<gated_silu>},
    {"MetaapoGatedSiluGradient",
     {METAAPO_TYPE(G), METAAPO_TYPE(X), METAAPO_TYPE(Y)},
     {"gradient: G", "gate: X", "up: X"},
     {"dgate: Y", "dup: Y"},
     compute<gated_silu_gradient>},
    {"MetaapoRotate",
     {METAAPO_TYPE(X), METAAPO_TYPE(Y), "heads: int", "scale: float", "back: bool"},
     {"x: X", "cosines: float", "sines: float"},
     {"output: Y"},
     compute<rotate>},
    {"MetaapoAttention",
     {METAAPO_TYPE(T), "heads: int", "groups: int", "window: int", "cap: float"},
     {"query: T", "key: T", "value: T", "segments: int32"},
     {"output: T", "scales: float"},
     compute<attention>},
    {"MetaapoAttentionGradient",
     {METAAPO_TYPE(T), "heads: int", "groups: int", "window: int", "cap: float"},
     {"gradient: T", "output: T", "scales: float", "query: T", "key: T", "value: T", "segments: int32"},
     {"dquery: T", "dkey: T", "dvalue: T"},
     compute<attention_gradient>},
    {"MetaapoCachedAttention",
     {METAAPO_TYPE(T), METAAPO_TYPE(K), "heads: int", "groups: int", "window: int", "cap: float"},
     {"query: T", "keys: K", "values: K", "sequences: int32"},
     {"output: T"},
     compute<cached_attention>},
    {"MetaapoLosses", {METAAPO_TYPE(X)}, {"logits: X", "targets: int32"}, {"output: float"}, compute<losses>},
    {"MetaapoResidual",
     {METAAPO_TYPE(X), METAAPO_TYPE(Y)},
     {"logits: X", "targets: int32"},
     {"output: Y"},
     compute<residual>},
    {"MetaapoDraw", {}, {"logits: float", "shares: float"}, {"columns: int32", "logprobs: float"}, compute<draw>},
    {"MetaapoWriteRows", {METAAPO_TYPE(T)}, {"all: T", "indices: int32", "rows: T"}, {}, compute<write_rows>},
    {"MetaapoAdamW",
     {},
     {"parameter: float", "moment1: float", "moment2: float", "gradient: float", "rate: float", "decay: float",
      "beta1: float", "beta2: float", "epsilon: float", "scale: float"},
     {},
     compute<adamw>},
};

void define(const Operation& operation, TF_Status* status) {
  TF_OpDefinitionBuilder* builder = TF_NewOpDefinitionBuilder(operation.name);
  for (const char* attribute : operation.attributes) TF_OpDefinitionBuilderAddAttr(builder, attribute);
  for (const char* input : operation.inputs) TF_OpDefinitionBuilderAddInput(builder, input);
  for (const char* output : operation.outputs) TF_OpDefinitionBuilderAddOutput(builder, output);
  if (operation.outputs.size() == 0) TF_OpDefinitionBuilderSetIsStateful(builder, true);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, unknown_shape);
  TF_RegisterOpDefinition(builder, status);
}

}  // namespace

const char* register_operations() {
  static std::string fault;
  if (functions() == nullptr) return "this processor has neither AVX2 nor FMA";
  TF_Status* status = TF_NewStatus();
  for (const Operation& operation : kOperations) {
    define(operation, status);
    if (TF_GetCode(status) != TF_OK) break;
    TF_KernelBuilder* builder = TF_NewKernelBuilder(operation.name, "CPU", create, operation.compute, destroy);
    TF_RegisterKernelBuilder(operation.name, builder, status);
    if (TF_GetCode(status) != TF_OK) break;
  }
  if (TF_GetCode(status) != TF_OK) fault = TF_Message(status);
  TF_DeleteStatus(status);
  return fault.empty() ? nullptr : fault.c_str();
}

}  // namespace metaapo
