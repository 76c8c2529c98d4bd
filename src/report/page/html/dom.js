'use strict';
// Elements, numbers and the data of the page. Text from files only ever becomes text nodes.

const readData = (id) => JSON.parse(document.getElementById(id).textContent);
const tables = readData('tables-data');
const { problems, systems } = readData('charts-data');
const details = new Map(readData('details-data').map((detail) => [`${detail.system}/${detail.row}`, detail]));

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
  drawn.push(() => holder.replaceChildren(draw(Math.max(260, holder.clientWidth))));
  return holder;
};
const redraw = () => drawn.forEach((draw) => draw());
