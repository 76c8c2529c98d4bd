// The segments of a run: who worked when, what of it stayed, and which proposed tokens were kept. A segment is
// [by, tokens, start, length, {kept, dropped, why, steps, ngram, draft}].

const segmentColors = { draft: 'var(--draft-strong)', probe: 'var(--probe-strong)', target: 'var(--target-strong)', inject: 'var(--injected-strong)', read: 'var(--target-strong)' };
const proposers = { ngram: 'n-grams', draft: 'the draft' };

const knownOf = (segment) => segment[4] ?? {};
// Tokens that were proposed and kept, of all proposers.
const acceptedOf = (segment) => Object.keys(proposers).reduce((sum, by) => sum + (knownOf(segment)[by]?.[1] ?? 0), 0);
const isDropped = (segment) => knownOf(segment).dropped !== undefined;
const keptOf = ([proposed, accepted]) => `${accepted} of ${proposed}`;

const describeSegment = (segment, timed) => {
  const [by, count, , length] = segment;
  const { kept, dropped, why, steps } = knownOf(segment);
  const parts = [`${by}: ${count} tokens`];
  if (timed) parts.push(`${formatNumber(length)} ms`);
  if (why) parts.push(why);
  if (steps) parts.push(`${steps} steps`);
  for (const [by, name] of Object.entries(proposers)) if (knownOf(segment)[by]) parts.push(`${keptOf(knownOf(segment)[by])} proposals of ${name} kept`);
  if (dropped) parts.push(`${count - kept} dropped (${dropped})`);
  return parts.join(', ');
};

const timelineChart = (segments) => (width) => {
  const timed = segments.every((segment) => segment[2] !== null);
  let tokens = 0;
  const spans = segments.map((segment) => {
    const [, count, start, length] = segment;
    const span = timed ? { segment, from: start, to: start + length } : { segment, from: tokens, to: tokens + count };
    tokens += count;
    return span;
  });
  const end = Math.max(...spans.map((span) => span.to), 1);
  const height = 88;
  const lanes = { target: 8, draft: 34, probe: 34, inject: 21, read: 8 };
  const ticks = niceTicks(timed ? end / 1000 : end, width < 380 ? 3 : 6).filter((tick) => (timed ? tick * 1000 : tick) <= end);
  const left = 46;
  const x = (value) => left + (value / end) * (width - left - 10);
  const chart = svg('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img' });
  chart.append(svg('text', { x: 0, y: 22 }, 'target'), svg('text', { x: 0, y: 48 }, 'draft'));
  for (const tick of ticks) {
    const at = x(timed ? tick * 1000 : tick);
    chart.append(svg('line', { class: 'axis', x1: at, x2: at, y1: 4, y2: 58 }));
    chart.append(svg('text', { x: at, y: 72, 'text-anchor': 'middle' }, formatTick(tick)));
  }
  chart.append(svg('text', { x: width - 10, y: 86, 'text-anchor': 'end' }, timed ? 'seconds' : 'tokens, wasted ones included'));
  for (const { segment, from, to } of spans) {
    const [by, count] = segment;
    const y = lanes[by] ?? 34;
    const length = Math.max(0.8, x(to) - x(from));
    const mark = svg('g', isDropped(segment) ? { class: 'dropped' } : {},
      svg('rect', { x: x(from), y, width: length, height: 20, fill: segmentColors[by] ?? 'var(--unjudged)' }));
    const accepted = acceptedOf(segment);
    if (accepted) mark.append(svg('rect', { class: 'accepted', x: x(from), y: y + 15, width: length * Math.min(1, accepted / count), height: 5 }));
    chart.append(withTitle(mark, describeSegment(segment, timed)));
  }
  return chart;
};

const segmentLegend = (segments) => {
  const entries = [['var(--draft-strong)', 'draft'], ['var(--probe-strong)', 'probe'], ['var(--target-strong)', 'target'], ['var(--injected-strong)', 'injected']];
  if (segments.some(acceptedOf)) entries.push(['var(--ink)', 'share of its tokens that were proposed and kept']);
  const box = legend(entries);
  if (segments.some(isDropped)) box.append(el('span', {}, 'pale: dropped, all or in part'));
  return box;
};

// How often the other model takes over, in text that stayed.
const countHandOvers = (segments) => {
  let model = null;
  let count = 0;
  for (const segment of segments) {
    const [by] = segment;
    const kept = knownOf(segment).kept ?? (by === 'probe' || by === 'read' ? 0 : 1);
    if (by === 'inject' || kept === 0) continue;
    const next = by === 'target' ? 'target' : 'draft';
    if (model !== null && next !== model) ++count;
    model = next;
  }
  return count;
};

// Proposals of the whole run, which its ledger counts whether or not the segments have them.
const proposalFacts = (detail) => {
  const sum = (list) => (list ?? []).reduce((total, value) => total + value, 0);
  const totals = (by) => [sum(detail?.ledger?.proposed?.[by]), sum(detail?.ledger?.accepted?.[by])];
  const facts = Object.entries(proposers).map(([by, name]) => [name, totals(by)]).filter(([, [proposed]]) => proposed > 0)
    .map(([name, pair]) => fact(`proposals of ${name} kept`, keptOf(pair)));
  const counted = detail?.segments.filter((segment) => knownOf(segment).steps > 0) ?? [];
  const total = (of) => counted.reduce((all, segment) => all + of(segment), 0);
  if (counted.length) facts.push(fact('tokens a step', formatNumber(total((segment) => segment[1]) / total((segment) => knownOf(segment).steps))));
  return facts;
};

const segmentSection = (segments, ledger) => {
  const columns = [
    { title: '#', cell: (segment, i) => ({ node: String(i), value: i }) },
    { title: 'writer', text: true, cell: ([by]) => by },
    { title: 'tokens', cell: ([, count]) => count },
    { title: 'stayed', cell: (segment) => knownOf(segment).kept ?? (segment[0] === 'probe' ? null : segment[1]) },
    { title: 'steps', cell: (segment) => knownOf(segment).steps ?? null },
    { title: 'tokens a step', cell: (segment) => (knownOf(segment).steps ? segment[1] / knownOf(segment).steps : null) },
    ...Object.entries(proposers).map(([by, name]) => ({ title: `${name}: kept`, cell: (segment) => {
      const pair = knownOf(segment)[by];
      return pair ? { node: keptOf(pair), value: pair[1] } : null;
    } })),
    { title: 'ms', cell: ([, , , length]) => length },
    { title: 'why', text: true, cell: (segment) => knownOf(segment).why ?? null },
    { title: 'dropped', text: true, wide: true, cell: (segment) => knownOf(segment).dropped ?? null },
  ];
  const rows = segments.map((segment, i) => columns.map((column) => column.cell(segment, i)));
  const said = columns.map((_, i) => i).filter((i) => rows.some((cells) => cells[i] !== null));
  const hasProposals = Object.values(ledger?.proposed ?? {}).some((list) => list.length > 0);
  const note = hasProposals && !segments.some((segment) => knownOf(segment).steps !== undefined)
    ? el('p', { class: 'note' }, 'The file of this run does not say in which segments proposals were kept: above and in the ledger are those of the whole run.') : null;
  const table = sortableTable(said.map((i) => columns[i]), rows.map((cells) => ({ cells: said.map((i) => cells[i]) })), 20);
  return el('div', { class: 'segments' }, note, el('details', {}, el('summary', {}, `${segments.length} segments`), table));
};
