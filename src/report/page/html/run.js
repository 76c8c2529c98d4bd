// One run: its text by who wrote it, what happened when (segments.js), and its ledger.

const writers = ['prompt', 'draft', 'target', 'injected', 'not known'];

const fact = (name, value) => (value === null || value === undefined || value === '' ? null : el('li', {}, `${name} `, el('b', {}, String(value))));

const runFacts = (system, row, detail) => {
  const rows = systems[system].rows;
  const correct = rows.correct[row];
  const kept = detail?.passages.filter((passage) => passage[2] !== null).length;
  return el('ul', { class: 'facts' },
    correct === null ? null : el('li', { class: correct ? 'right' : 'wrong' }, el('b', {}, correct ? 'right' : 'wrong')),
    fact('answer', rows.answer[row]), fact('expected', problems[rows.problem[row]][2]),
    fact('seconds', rows.seconds[row] === null ? null : formatNumber(rows.seconds[row])), fact('tokens', formatNumber(rows.tokens[row])),
    fact('target tokens', rows.target[row] === null ? null : formatNumber(rows.target[row])), fact('ended by', rows.finish[row]),
    fact('prompt tokens', detail?.prompt_tokens), fact('target asked', detail?.validations),
    detail?.segments.length ? fact('hand-overs', countHandOvers(detail.segments)) : null,
    proposalFacts(detail),
    detail?.passages.length ? fact('passages of the target', detail.passages.length) : null, kept ? fact('of them instead of a probe', kept) : null);
};

const ledgerTable = (ledger) => {
  const names = { draft: 'written by the draft', target: 'written by the target', injected: 'injected', draft_wasted: 'wasted by the draft', target_wasted: 'wasted by the target', draft_prefilled: 'caught up by the draft', target_prefilled: 'caught up by the target' };
  const rows = [];
  const add = (entries, prefix, names) => {
    for (const [key, value] of Object.entries(entries)) {
      const name = `${prefix}${names[key] ?? key.replaceAll('_', ' ')}`;
      if (Array.isArray(value)) rows.push({ cells: [`${name}, by place`, value.join(' ')] });
      else if (value !== null && typeof value === 'object') add(value, `${name}: `, proposers);
      else if (typeof value === 'number') rows.push({ cells: [name, key.endsWith('share') ? `${(100 * value).toFixed(1)} %` : formatNumber(value)] });
    }
  };
  add(ledger, '', names);
  return sortableTable([{ title: 'ledger', text: true }, { title: 'tokens' }], rows);
};

const passageTable = (passages) =>
  sortableTable([{ title: 'at token' }, { title: 'tokens' }, { title: 'the draft had', text: true, wide: true }, { title: 'the target wrote', text: true, wide: true }],
    passages.map((cells) => ({ cells: cells.map((cell, i) => (i < 2 && cell !== null ? { node: String(cell), value: cell } : cell)) })), 20);

const answerText = (pieces) =>
  el('div', { class: 'answer-text', tabindex: '0' }, pieces.map(([writer, text]) => el('span', { class: `w${writer}`, title: writers[writer] }, text)));

const runSection = () => {
  const systemSelect = el('select', { 'aria-label': 'system' }, systems.map((system, i) => el('option', { value: i }, system.name)));
  const problemSelect = el('select', { 'aria-label': 'problem' });
  const runSelect = el('select', { 'aria-label': 'run' });
  const holder = el('div');
  let segments = [];
  const timeline = { holder: el('div'), draw: (width) => (segments.length ? timelineChart(segments)(width) : '') };
  drawn.push(timeline);

  const show = () => {
    const system = Number(systemSelect.value);
    const row = Number(runSelect.value);
    if (runSelect.value === '') {
      holder.replaceChildren(el('p', { class: 'note' }, 'This system has no run of this problem.'));
      return;
    }
    const detail = detailOf(system, row);
    const parts = [runFacts(system, row, detail)];
    segments = detail?.segments ?? [];
    if (!detail) {
      parts.push(el('p', { class: 'note' }, 'The text of this run is not in this report: --texts names the runs whose texts are.'));
    } else {
      if (segments.length) {
        parts.push(el('h3', {}, 'Timeline'), el('figure', {}, timeline.holder),
          segmentLegend(segments), segmentSection(segments, detail.ledger));
      }
      const present = new Set(detail.pieces.map(([writer]) => writer));
      const colors = ['var(--soft)', 'var(--draft)', 'var(--target)', 'var(--injected)', 'transparent'];
      parts.push(el('h3', {}, 'Text by who wrote it'), legend([...present].sort().map((writer) => [colors[writer], writers[writer]])), answerText(detail.pieces));
      if (present.has(4)) parts.push(el('p', { class: 'note' }, 'The file of this run does not say who wrote which part.'));
      if (detail.ledger) parts.push(el('h3', {}, 'Ledger'), ledgerTable(detail.ledger));
      if (detail.passages.length) parts.push(el('h3', {}, 'Passages of the target'), passageTable(detail.passages));
    }
    holder.replaceChildren(...parts);
    if (timeline.holder.isConnected) redraw([timeline]);
  };

  // Fills the lists of problems and runs and shows the run. Without a choice the problem stays where the system has it.
  const fillRuns = (chosen) => {
    const system = Number(systemSelect.value);
    const rows = runsByProblem[system].get(Number(problemSelect.value)) ?? [];
    runSelect.replaceChildren(...rows.map((row) => {
      const { run, correct } = systems[system].rows;
      const verdict = correct[row] === null ? '' : correct[row] ? ', right' : ', wrong';
      return el('option', { value: row }, `${run[row]}${verdict}${hasDetail(system, row) ? '' : ', no text'}`);
    }));
    if (chosen !== undefined) runSelect.value = chosen;
    show();
  };

  const fillProblems = (problem = problemSelect.value, row = undefined) => {
    const known = [...runsByProblem[Number(systemSelect.value)].keys()].sort((a, b) => a - b);
    problemSelect.replaceChildren(...known.map((index) => el('option', { value: index }, `${index}: ${(problems[index][1] || `problem ${problems[index][0]}`).slice(0, 60)}`)));
    if (problem !== '' && known.includes(Number(problem))) problemSelect.value = problem;
    fillRuns(row);
  };

  systemSelect.addEventListener('change', () => fillProblems());
  problemSelect.addEventListener('change', () => fillRuns());
  runSelect.addEventListener('change', show);
  const openRun = (problem) => {
    const system = runsByProblem[Number(systemSelect.value)].has(problem) ? Number(systemSelect.value) : runsByProblem.findIndex((runs) => runs.has(problem));
    if (system < 0) return;
    systemSelect.value = system;
    fillProblems(problem);
    document.getElementById('run').scrollIntoView();
  };
  // The first run that has a text, of two models where there is one.
  const all = [...detailLines.keys()].map((key) => key.split('/').map(Number));
  const first = all.find(([system]) => systems[system].kind === 'speculative') ?? all[0];
  if (first) {
    const [system, row] = first;
    systemSelect.value = system;
    fillProblems(systems[system].rows.problem[row], row);
  } else {
    fillProblems();
  }
  const node = el('div', {}, el('div', { class: 'controls' }, el('label', {}, 'System', systemSelect), el('label', {}, 'Problem', problemSelect), el('label', {}, 'Run', runSelect)), holder);
  return { node, openRun };
};

// Runs without a text, by system and problem.
const leftOut = () => {
  const lines = [];
  let count = 0;
  systems.forEach((system, index) => {
    for (const [problem, rows] of runsByProblem[index]) {
      const missing = rows.filter((row) => !hasDetail(index, row)).map((row) => system.rows.run[row]);
      if (!missing.length) continue;
      count += missing.length;
      lines.push(`${system.name}, problem ${problem}: run ${missing.join(', ')}`);
    }
  });
  if (!count) return null;
  const body = el('pre', { class: 'answer-text' });
  const box = el('details', {}, el('summary', {}, `Texts of ${count} runs are left out`), body);
  box.addEventListener('toggle', () => { if (!body.textContent) body.textContent = lines.join('\n'); });
  return box;
};
