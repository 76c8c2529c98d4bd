'use strict';
// Elements, numbers and the data of the page. Text from files only ever becomes text nodes.

const readData = (id) => JSON.parse(document.getElementById(id).textContent);
const tables = readData('tables-data');
const { problems, systems } = readData('charts-data');

// A line for each run that has a text, by system and row. Megabytes: a line is parsed when its run is shown, and the
// document does not keep them a second time.
const detailLines = new Map();
const detailElement = document.getElementById('details-data');
for (const line of detailElement.textContent.split('\n')) {
  const key = /^\{"system":(\d+),"row":(\d+)/.exec(line);
  if (key) detailLines.set(`${key[1]}/${key[2]}`, line.endsWith(',') ? line.slice(0, -1) : line);
}
detailElement.remove();
const hasDetail = (system, row) => detailLines.has(`${system}/${row}`);
const detailOf = (system, row) => (hasDetail(system, row) ? JSON.parse(detailLines.get(`${system}/${row}`)) : undefined);

const append = (node, children) => {
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
};

const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null) node.setAttribute(name, value);
  }
  return append(node, children);
};

const svg = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return append(node, children);
};

const colorOf = (system) => `var(--s${system % 8})`;

const formatNumber = (value) => {
  if (value === null || value === undefined) return '-';
  const size = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
};

// A number for an axis, without digits that say nothing.
const formatTick = (value) => Number(value.toPrecision(6)).toLocaleString('en-US');

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const legend = (entries) =>
  el('div', { class: 'legend' }, entries.map(([color, text]) =>
    el('span', {}, el('i', { style: `background:${color}` }), text)));

// Draws into `holder` in its own width, again when that changes.
const drawn = [];
const drawWithWidth = (holder, draw) => {
  drawn.push({ holder, draw });
  return holder;
};
// All widths are read before anything is drawn: the page is laid out once.
const redraw = (charts = drawn) =>
  charts.map(({ holder, draw }) => [holder, draw, Math.max(260, holder.clientWidth)])
    .forEach(([holder, draw, width]) => holder.replaceChildren(draw(width)));
