// Which of the tables of functions is used.
#pragma once
#include <vector>

#include "functions.h"

namespace metaapo {

// The tables that this processor can run, the best last; none where it lacks what the first needs.
const std::vector<const Functions*>& levels();

// The best of them, or the chosen one; null where there is none.
const Functions* functions();

// Another one of the levels, so that all can be tested on one processor.
void choose_functions(const Functions* table);

}  // namespace metaapo
