// Puts the page together.

const main = document.getElementById('main');
const nav = document.getElementById('nav');

const addSection = (id, title, ...children) => {
  const section = el('section', { id }, el('h2', {}, title), children);
  main.append(section);
  nav.append(el('a', { href: `#${id}` }, title));
  return section;
};

const tableSections = (list) => {
  let section = null;
  for (const table of list) {
    if (table.title || !section) section = addSection(table.id, table.title || table.id);
    section.append(reportTable(table));
  }
};

const isHead = (table) => ['summary', 'comparison', 'at_k'].includes(table.id);
main.replaceChildren();
tableSections(tables.filter(isHead));
const systemLegend = () => legend(systems.map((system, i) => [colorOf(i), system.name]));
const accuracy = accuracyCharts();
if (accuracy.length) {
  addSection('accuracy', 'Accuracy against cost',
    el('p', { class: 'note' }, 'Bars are 95 % intervals; the dashed line joins the systems that no other one beats in both.'),
    systemLegend(), el('div', { class: 'charts' }, accuracy));
}
const distributions = distributionCharts();
if (distributions.length) {
  addSection('distributions', 'Latency and length', legend([['var(--right)', 'right'], ['var(--wrong)', 'wrong'], ['var(--unjudged)', 'not judged']]),
    el('div', { class: 'charts' }, distributions));
}
if (systems.length) {
  const { node, openRun } = runSection();
  addSection('problems', 'Problems', problemSection(openRun));
  addSection('run', 'A run', node, leftOut());
}
tableSections(tables.filter((table) => !isHead(table)));
redraw();

let width = window.innerWidth;
window.addEventListener('resize', () => {
  if (window.innerWidth === width) return;
  width = window.innerWidth;
  redraw();
});
