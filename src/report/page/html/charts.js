// Charts as SVG: accuracy against a cost with error bars, and distributions.

const niceTicks = (max, count) => {
  if (!(max > 0)) return [0, 1];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let i = 0; i * step < max + step * 0.999; ++i) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
};

const withTitle = (node, text) => append(node, [svg('title', {}, text)]);

// `points`: {system, x: {mean, low, high}, y: {mean, low, high}}.
const scatterChart = (points, xLabel) => (width) => {
  const height = 270;
  const margin = { left: 46, right: 28, top: 12, bottom: 38 };
  const xTicks = niceTicks(Math.max(...points.map((point) => Math.max(point.x.high, point.x.mean))), width < 380 ? 3 : 5);
  const lowest = Math.min(...points.map((point) => point.y.low));
  const step = [0.05, 0.1, 0.2].find((candidate) => 1 - lowest <= 5 * candidate) ?? 0.2;
  const bottom = Math.max(0, Math.floor((lowest + 1e-9) / step) * step);
  const x = (value) => margin.left + (value / xTicks.at(-1)) * (width - margin.left - margin.right);
  const y = (value) => height - margin.bottom - ((value - bottom) / (1 - bottom)) * (height - margin.top - margin.bottom);
  const chart = svg('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img' });
  for (const tick of xTicks) {
    chart.append(svg('line', { class: 'axis', x1: x(tick), x2: x(tick), y1: margin.top, y2: height - margin.bottom }));
    chart.append(svg('text', { x: x(tick), y: height - margin.bottom + 15, 'text-anchor': 'middle' }, formatTick(tick)));
  }
  for (let value = bottom; value < 1 + step / 2; value += step) {
    chart.append(svg('line', { class: 'axis', x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value) }));
    chart.append(svg('text', { x: margin.left - 6, y: y(value) + 4, 'text-anchor': 'end' }, `${formatTick(value * 100)} %`));
  }
  chart.append(svg('text', { x: (margin.left + width - margin.right) / 2, y: height - 6, 'text-anchor': 'middle' }, xLabel));
  let best = -1;
  const frontier = [...points].sort((a, b) => a.x.mean - b.x.mean || b.y.mean - a.y.mean)
    .filter((point) => point.y.mean > best && ((best = point.y.mean), true));
  if (frontier.length > 1) {
    chart.append(svg('polyline', { class: 'frontier', points: frontier.map((point) => `${x(point.x.mean)},${y(point.y.mean)}`).join(' ') }));
  }
  for (const point of points) {
    const color = colorOf(point.system);
    const bar = (x1, y1, x2, y2) => svg('line', { x1, y1, x2, y2, stroke: color, 'stroke-width': 1.5, opacity: 0.75 });
    const inside = (value) => Math.min(Math.max(value, 0), xTicks.at(-1));
    const group = svg('g', {},
      bar(x(point.x.mean), y(point.y.low), x(point.x.mean), y(point.y.high)),
      bar(x(inside(point.x.low)), y(point.y.mean), x(inside(point.x.high)), y(point.y.mean)),
      svg('circle', { cx: x(point.x.mean), cy: y(point.y.mean), r: 5, fill: color }));
    const range = (figure, scale) => `${formatNumber(figure.mean * scale)} [${formatNumber(figure.low * scale)}, ${formatNumber(figure.high * scale)}]`;
    chart.append(withTitle(group, `${systems[point.system].name}: ${range(point.y, 100)} % right, ${range(point.x, 1)} ${xLabel}`));
  }
  return chart;
};

// One histogram a system, one under the other on one axis; right, wrong and unjudged runs are stacked.
const histogramChart = (column, label) => (width) => {
  const all = systems.flatMap((system) => system.rows[column].filter((value) => value !== null));
  const ticks = niceTicks(Math.max(...all), width < 380 ? 3 : 5);
  const bins = width < 380 ? 24 : 40;
  const rowHeight = 62;
  const margin = { left: 8, right: 28, bottom: 38 };
  const shown = systems.map((system, index) => ({ system, index })).filter(({ system }) => system.rows[column].some((value) => value !== null));
  const height = shown.length * rowHeight + margin.bottom;
  const x = (value) => margin.left + (value / ticks.at(-1)) * (width - margin.left - margin.right);
  const chart = svg('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img' });
  for (const tick of ticks) {
    chart.append(svg('line', { class: 'axis', x1: x(tick), x2: x(tick), y1: 0, y2: height - margin.bottom }));
    chart.append(svg('text', { x: x(tick), y: height - margin.bottom + 15, 'text-anchor': 'middle' }, formatTick(tick)));
  }
  chart.append(svg('text', { x: width / 2, y: height - 6, 'text-anchor': 'middle' }, label));
  shown.forEach(({ system, index }, row) => {
    const counts = Array.from({ length: bins }, () => [0, 0, 0]);
    system.rows[column].forEach((value, i) => {
      if (value === null) return;
      const bin = Math.min(bins - 1, Math.floor((value / ticks.at(-1)) * bins));
      const correct = system.rows.correct[i];
      ++counts[bin][correct === 1 ? 0 : correct === 0 ? 1 : 2];
    });
    const most = Math.max(...counts.map((count) => count[0] + count[1] + count[2]));
    const base = (row + 1) * rowHeight;
    counts.forEach((count, bin) => {
      let from = base;
      ['var(--right)', 'var(--wrong)', 'var(--unjudged)'].forEach((fill, kind) => {
        if (!count[kind]) return;
        const size = (count[kind] / most) * (rowHeight - 22);
        from -= size;
        const left = x((bin / bins) * ticks.at(-1));
        const rect = svg('rect', { x: left + 0.5, y: from, height: size, fill, width: Math.max(1, x(((bin + 1) / bins) * ticks.at(-1)) - left - 1) });
        chart.append(withTitle(rect, `${count[kind]} ${['right', 'wrong', 'not judged'][kind]}`));
      });
    });
    const middle = median(system.rows[column].filter((value) => value !== null));
    chart.append(svg('line', { x1: x(middle), x2: x(middle), y1: base - rowHeight + 18, y2: base, stroke: 'var(--ink)', 'stroke-width': 1.5 }));
    chart.append(svg('line', { class: 'axis', x1: margin.left, x2: width - margin.right, y1: base, y2: base }));
    chart.append(svg('text', { x: margin.left, y: base - rowHeight + 13, style: `fill:${colorOf(index)};font-weight:600` }, `${system.name}: median ${formatNumber(middle)}`));
  });
  return chart;
};

const figure = (caption, draw) => {
  const holder = el('div');
  drawWithWidth(holder, draw);
  return el('figure', {}, el('figcaption', {}, caption), holder);
};

const accuracyCharts = () => {
  const tasks = [...new Set(systems.map((system) => system.task))];
  const charts = [];
  for (const task of tasks) {
    for (const [key, title, label] of [['seconds', 'Accuracy against time', 'seconds a run'], ['target', 'Accuracy against target tokens', 'target tokens a run']]) {
      const points = systems.map((system, index) => ({ system: index, x: system[key], y: system.accuracy, task: system.task }))
        .filter((point) => point.task === task && point.x && point.y);
      if (points.length) charts.push(figure(tasks.length > 1 ? `${task || 'no task'}: ${title.toLowerCase()}` : title, scatterChart(points, label)));
    }
  }
  return charts;
};

const distributionCharts = () =>
  [['seconds', 'Latency', 'seconds'], ['tokens', 'Length', 'generated tokens']]
    .filter(([column]) => systems.some((system) => system.rows[column].some((value) => value !== null)))
    .map(([column, title, label]) => figure(title, histogramChart(column, label)));
