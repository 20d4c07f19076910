/** What a pure JavaScript tokenizer does not compute exactly as the original, found in a tokenizer.json. */
export function inexactPatterns(tokenizerJson: string): readonly string[] {
  const found: string[] = [];
  if (/"Regex":\s*"(?:[^"\\]|\\.)*(?:[+*?]|\{\d+(?:,\d*)?\})\+/.test(tokenizerJson))
    found.push('possessive quantifiers');
  if (/"type":\s*"Digits"/.test(tokenizerJson)) found.push('the Digits pre-tokenizer');
  if (/"type":\s*"BertNormalizer"/.test(tokenizerJson)) found.push('the BERT normalizer');
  return found;
}
