// The table of functions of one level of instructions.
#include "attention.h"
#include "cached-attention.h"
#include "rows.h"

#define METAAPO_TEXT_OF(name) #name
#define METAAPO_TEXT(name) METAAPO_TEXT_OF(name)
#define METAAPO_JOINED(a, b) a##b
#define METAAPO_TABLE(level) METAAPO_JOINED(functions_of_, level)

namespace metaapo {

extern const Functions METAAPO_TABLE(METAAPO_LEVEL);
const Functions METAAPO_TABLE(METAAPO_LEVEL) = {
    METAAPO_TEXT(METAAPO_LEVEL),
    METAAPO_LEVEL::cast,
    METAAPO_LEVEL::add,
    METAAPO_LEVEL::rms_norm,
    METAAPO_LEVEL::rms_norm_gradient,
    METAAPO_LEVEL::gated_silu,
    METAAPO_LEVEL::gated_silu_gradient,
    METAAPO_LEVEL::rotate,
    METAAPO_LEVEL::losses,
    METAAPO_LEVEL::residual,
    METAAPO_LEVEL::draw,
    METAAPO_LEVEL::adamw,
    METAAPO_LEVEL::attention,
    METAAPO_LEVEL::attention_gradient,
    METAAPO_LEVEL::cached_attention,
};

}  // namespace metaapo
