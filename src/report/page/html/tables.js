// Tables that are sorted by a click on a column's title.

const numberIn = (text) => {
  const match = /^[~+]?(?:at least )?(-?[\d,]*\.?\d+)/.exec(text);
  return match ? Number(match[1].replaceAll(',', '')) : null;
};

const compareCells = (a, b) => {
  const x = typeof a === 'number' ? a : numberIn(String(a));
  const y = typeof b === 'number' ? b : numberIn(String(b));
  if (x !== null && y !== null) return x - y;
  if (x !== null || y !== null) return x !== null ? -1 : 1;
  return String(a).localeCompare(String(b));
};

// `columns`: {title, text, wide}; `rows`: {cells, onclick}, where a cell is text, a number or {node, value}.
const sortableTable = (columns, rows, limit = Infinity) => {
  const body = el('tbody');
  const valueOf = (cell) => (cell !== null && typeof cell === 'object' ? cell.value : cell);
  let order = [...rows];
  let shown = limit;
  const more = el('button', { class: 'plain', type: 'button', onclick: () => { shown = Infinity; fill(); } });
  const fill = () => {
    body.replaceChildren(...order.slice(0, shown).map((row) => {
      const line = el('tr', row.onclick ? { class: 'link', onclick: row.onclick } : {});
      row.cells.forEach((cell, i) => {
        const kind = [columns[i].text ? 'text' : '', columns[i].wide ? 'wide' : ''].join(' ').trim();
        const content = cell !== null && typeof cell === 'object' ? cell.node : typeof cell === 'number' ? formatNumber(cell) : cell ?? '-';
        line.append(el('td', kind ? { class: kind } : {}, content));
      });
      return line;
    }));
    more.hidden = order.length <= shown;
    more.textContent = `Show all ${order.length}`;
  };
  const head = columns.map((column, i) => {
    const title = el('th', { class: column.text ? 'text' : null, scope: 'col' },
      el('button', { type: 'button', onclick: () => {
        const direction = title.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
        head.forEach((other) => other.removeAttribute('aria-sort'));
        title.setAttribute('aria-sort', direction > 0 ? 'ascending' : 'descending');
        order = [...rows].sort((a, b) => {
          const x = valueOf(a.cells[i]);
          const y = valueOf(b.cells[i]);
          if (x === null || y === null) return (x === null) - (y === null);
          return direction * compareCells(x, y);
        });
        fill();
      } }, column.title));
    return title;
  });
  fill();
  return el('div', {}, el('div', { class: 'scroll' }, el('table', {}, el('thead', {}, el('tr', {}, head)), body)), more);
};

// A finished table of the report. Columns whose cells are no numbers are aligned as text.
const reportTable = (table) => {
  const columns = table.columns.map((title, i) => {
    const cells = table.rows.map((row) => row[i]);
    const isText = cells.every((cell) => numberIn(cell) === null);
    return { title, text: isText, wide: isText && cells.some((cell) => cell.length > 40) };
  });
  return el('div', {}, table.note ? el('p', { class: 'note' }, table.note) : null,
    sortableTable(columns, table.rows.map((cells) => ({ cells }))));
};
