// What all parts of the report are drawn with. The scripts of the page share one object, `report`.
(() => {
  /** An element with attributes and children; text where a child is no element. */
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
    }
    made.append(...children.filter((child) => child !== undefined));
    return made;
  };

  /** A part of the page with a heading; `id` is what the contents point to. */
  const section = (title, note) => {
    const made = element('section', { id: title.toLowerCase().replaceAll(/\W+/g, '-') }, element('h2', {}, title));
    if (note) made.append(element('p', { class: 'note' }, note));
    document.getElementById('main').append(made);
    return made;
  };

  /** A table; columns named in `textColumns` are aligned to the left. */
  const table = (titles, rows, { textColumns = [0], caption } = {}) => {
    const kind = (index) => ({ class: textColumns.includes(index) ? 'text' : undefined });
    const made = element('table');
    if (caption) made.append(element('caption', {}, caption));
    const head = titles.map((title, index) => element('th', { scope: 'col', ...kind(index) }, title));
    const lines = rows.map((row) =>
      element(
        'tr',
        {},
        ...row.map((cell, index) =>
          element(index ? 'td' : 'th', index ? kind(index) : { scope: 'row', class: 'text' }, cell),
        ),
      ),
    );
    made.append(element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...lines));
    return element('div', { class: 'scroll' }, made);
  };

  const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

  /** A number with so many decimals; a dash where there is none; never "-0". */
  const fixed = (value, digits = 3) => {
    if (!isNumber(value)) return '–';
    const text = value.toFixed(digits);
    return Number(text) === 0 ? text.replace('-', '') : text;
  };
  const percent = (share, digits = 1) => (isNumber(share) ? `${fixed(100 * share, digits)} %` : '–');
  const signed = (value, digits = 3) => (value > 0 ? `+${fixed(value, digits)}` : fixed(value, digits));
  const whole = (value) => (isNumber(value) ? value.toLocaleString('en-US') : '–');
  const duration = (seconds) => {
    if (!isNumber(seconds)) return '–';
    if (seconds < 120) return `${fixed(seconds, seconds < 10 ? 1 : 0)} s`;
    const minutes = Math.round(seconds / 60);
    return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  };

  const { runs } = JSON.parse(document.getElementById('report-data').textContent);
  globalThis.report = {
    runs,
    isSingle: runs.length === 1,
    element,
    section,
    table,
    isNumber,
    fixed,
    percent,
    signed,
    whole,
    duration,
  };
})();
