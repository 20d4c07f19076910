// Rows as people read them: the offline pair beside what was sampled, with a search and a choice of kinds.
(() => {
  const { runs, isSingle, element, section, fixed } = globalThis.report;
  const GROUPS = [
    ['all', 'All'],
    ['pair', 'Online pair'],
    ['none', 'No pair'],
    ['unselected', 'Not selected'],
  ];
  const REASONS = {
    tie: 'All responses have the same reward: no pair.',
    duplicates: 'Best and worst response are the same text: no pair.',
    'not-better': 'No response is better than the offline one: no pair.',
    'too-few': 'Fewer than two usable responses: no pair.',
    sampled: 'Trained on its responses as they were sampled.',
    unselected: 'Not selected: no new responses, no reward calls.',
  };
  const fateOf = ({ fate = 'pair' }) => fate;
  const groupOf = (sample) => (fateOf(sample) === 'pair' || fateOf(sample) === 'unselected' ? fateOf(sample) : 'none');

  const message = (role, text, kind = '') =>
    element('div', { class: `message ${kind}` }, element('b', {}, role), element('p', {}, text));
  const rewarded = (role, { text, reward }, kind) => message(`${role}, reward ${fixed(reward)}`, text, kind);

  const promptOf = ({ messages, prompt }) =>
    element(
      'div',
      { class: 'prompt' },
      ...(messages ?? [{ role: 'prompt', content: prompt }]).map(({ role, content }) => message(role, content)),
    );

  const offlineOf = ({ offline }) =>
    element(
      'div',
      {},
      element('h4', {}, 'Offline pair'),
      ...(offline
        ? [message('chosen', offline.chosen, 'chosen'), message('rejected', offline.rejected, 'rejected')]
        : [element('p', { class: 'note' }, 'Not recorded.')]),
    );

  const onlineOf = (run, sample) => {
    const { online, responses = [] } = sample;
    const made = element('div', {}, element('h4', {}, 'Online'));
    if (online) {
      made.append(rewarded('chosen', online.chosen, 'chosen'), rewarded('rejected', online.rejected, 'rejected'));
      return made;
    }
    const isKept = run.settings?.unselected !== 'drop';
    const trained = isKept ? ' Trained on its offline pair alone.' : ' Left out of training.';
    made.append(
      element('p', { class: 'note' }, `${REASONS[fateOf(sample)]}${fateOf(sample) === 'sampled' ? '' : trained}`),
    );
    made.append(...responses.map((response, index) => rewarded(`response ${index + 1}`, response)));
    return made;
  };

  const weightOf = ({ weight }) => {
    const bar = element('span', { class: 'meter' }, element('span'));
    bar.firstChild.style.width = `${100 * (weight ?? 0)}%`;
    return element('span', {}, 'w ', element('b', {}, fixed(weight, 2)), bar);
  };

  const cardOf = ({ run, one, sample }) => {
    const group = groupOf(sample);
    const name = `${isSingle ? '' : `${run.name}, `}iteration ${one.iteration + 1}, row ${sample.row}`;
    const title = element(
      'h3',
      {},
      name,
      element('span', { class: `badge ${group}` }, GROUPS.find(([id]) => id === group)[1]),
    );
    const numbers = element(
      'p',
      { class: 'numbers' },
      element('span', {}, 's ', element('b', {}, fixed(sample.score, 2))),
      weightOf(sample),
    );
    return element(
      'article',
      { class: 'sample' },
      element('header', {}, title, numbers),
      promptOf(sample),
      element('div', { class: 'pairs' }, offlineOf(sample), onlineOf(run, sample)),
    );
  };

  globalThis.report.drawSamples = () => {
    const samples = runs.flatMap((run) =>
      run.iterations.flatMap((one) => one.samples.map((sample) => ({ run, one, sample }))),
    );
    if (samples.length === 0) return;
    const part = section(
      'Samples',
      'A few rows of each iteration: with an online pair, without one, and not selected. s and w are those of the selection.',
    );
    const cards = samples.map((entry) => ({ ...entry, card: cardOf(entry), group: groupOf(entry.sample) }));
    const search = element('input', {
      type: 'search',
      placeholder: 'Search prompts and responses',
      'aria-label': 'Search prompts and responses',
    });
    const count = element('output', { 'aria-live': 'polite' });
    const choices = GROUPS.map(([id, label]) => {
      const number = cards.filter(({ group }) => id === 'all' || group === id).length;
      const input = element('input', { type: 'radio', name: 'group', value: id, checked: id === 'all' });
      return element('label', {}, input, `${label} ${number}`);
    });
    const filters = element(
      'form',
      { class: 'filters', role: 'search' },
      search,
      element('fieldset', {}, element('legend', {}, 'Show'), ...choices),
      count,
    );
    const apply = () => {
      const wanted = search.value.toLowerCase();
      const chosen = filters.querySelector('input[name="group"]:checked').value;
      let shown = 0;
      for (const { card, group } of cards) {
        card.hidden = (chosen !== 'all' && group !== chosen) || !card.textContent.toLowerCase().includes(wanted);
        if (!card.hidden) shown += 1;
      }
      count.textContent = `${shown} of ${cards.length} rows`;
    };
    filters.addEventListener('input', apply);
    filters.addEventListener('submit', (event) => event.preventDefault());
    part.append(filters, ...cards.map(({ card }) => card));
    apply();
  };
})();
