// The table of problems: each system's figures on each problem.

const runsByProblem = systems.map((system) => {
  const byProblem = new Map();
  system.rows.problem.forEach((problem, row) => {
    if (!byProblem.has(problem)) byProblem.set(problem, []);
    byProblem.get(problem).push(row);
  });
  return byProblem;
});

const figuresOf = (system, problem) => {
  const rows = runsByProblem[system].get(problem) ?? [];
  const pick = (column) => rows.map((row) => systems[system].rows[column][row]).filter((value) => value !== null);
  const judged = pick('correct');
  const right = judged.filter((correct) => correct === 1).length;
  return {
    share: judged.length ? right / judged.length : null,
    right: judged.length ? `${right}/${judged.length}` : null,
    seconds: mean(pick('seconds')),
    tokens: mean(pick('tokens')),
  };
};

const problemSection = (openRun) => {
  const several = systems.length > 1;
  const columns = [{ title: '#' }, { title: 'problem', text: true, wide: true }, { title: 'answer', text: true }];
  systems.forEach((system) => {
    const prefix = several ? `${system.name}: ` : '';
    columns.push({ title: `${prefix}right` }, { title: `${prefix}seconds` }, { title: `${prefix}tokens` });
  });
  const rows = problems.map(([id, text, answer], problem) => {
    const cells = [{ node: String(problem), value: problem }, { node: el('div', { class: 'clamp', title: text }, text || `problem ${id}`), value: text }, answer];
    systems.forEach((_, system) => {
      const figures = figuresOf(system, problem);
      cells.push(figures.right === null ? null : { node: figures.right, value: figures.share }, figures.seconds, figures.tokens);
    });
    return { cells, onclick: () => openRun(problem), search: `${id} ${text} ${answer ?? ''}`.toLowerCase() };
  });
  const holder = el('div', {}, sortableTable(columns, rows, 25));
  const filter = el('input', { type: 'search', placeholder: 'text of the problem', oninput: () => {
    const wanted = filter.value.toLowerCase();
    holder.replaceChildren(sortableTable(columns, rows.filter((row) => row.search.includes(wanted)), 25));
  } });
  return el('div', { class: 'problems' }, el('p', { class: 'note' }, 'A click on a column sorts, a click on a row shows its runs.'),
    el('div', { class: 'controls' }, el('label', {}, 'Filter', filter)), holder);
};
