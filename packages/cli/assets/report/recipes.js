// The recipe of a run, or where the recipes of several differ.
(() => {
  const { runs, isSingle, element, section, table } = globalThis.report;

  /** Keys with dots and their values as text. */
  const flatten = (value, prefix = '') => {
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      return [[prefix, typeof value === 'string' ? value : JSON.stringify(value)]];
    return Object.entries(value).flatMap(([name, inner]) => flatten(inner, prefix === '' ? name : `${prefix}.${name}`));
  };

  const drawDifferences = (part) => {
    const recipes = runs.map(({ settings = {} }) => new Map(flatten(settings)));
    const keys = [...new Set(recipes.flatMap((recipe) => [...recipe.keys()]))];
    const differing = keys.filter((key) => new Set(recipes.map((recipe) => recipe.get(key))).size > 1);
    part.append(element('p', { class: 'note' }, `${differing.length} of ${keys.length} keys differ.`));
    if (differing.length === 0) return;
    const rows = differing.map((key) => [key, ...recipes.map((recipe) => recipe.get(key) ?? '–')]);
    part.append(
      table(['key', ...runs.map(({ name }) => name)], rows, { textColumns: [0, ...runs.map((_, index) => index + 1)] }),
    );
  };

  globalThis.report.drawRecipes = () => {
    const part = section(isSingle ? 'Recipe' : 'Recipes');
    if (!isSingle) drawDifferences(part);
    for (const run of runs) {
      const title = isSingle ? 'The recipe with every default' : run.name;
      part.append(
        element(
          'details',
          { open: isSingle },
          element('summary', {}, title),
          element('pre', { tabindex: 0 }, run.recipe),
        ),
      );
    }
  };
})();
