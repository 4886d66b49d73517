// Makes the page smoother; without it every form and link works as well.
(() => {
  'use strict';

  // Live numbers: elements with data-live take the fields of that name from a stream of events.
  const live = document.querySelector('[data-stream]');
  let stream = null;
  let paused = false;
  const begin = () => {
    if (!live || stream || paused || document.hidden) return;
    stream = new EventSource(live.dataset.stream);
    stream.addEventListener('progress', (event) => {
      const fields = JSON.parse(event.data);
      for (const element of live.querySelectorAll('[data-live]')) {
        const text = fields[element.dataset.live];
        if (text === undefined) continue;
        if (element.tagName === 'PROGRESS') element.value = Number(text);
        else if (element.textContent !== text) element.textContent = text;
      }
    });
    // A stream that ends is opened again by the browser, unless it says that all is told.
    stream.addEventListener('end', () => { end(); location.reload(); });
    stream.onerror = () => {
      if (stream && stream.readyState === EventSource.CLOSED) { end(); setTimeout(poll, 5000); }
    };
  };
  const end = () => { if (stream) stream.close(); stream = null; };
  const poll = () => { if (!paused && !document.hidden) location.reload(); };
  document.addEventListener('visibilitychange', () => (document.hidden ? end() : begin()));
  window.addEventListener('pagehide', end);
  begin();

  const pause = document.querySelector('[data-pause]');
  if (pause) {
    pause.hidden = false;
    pause.addEventListener('click', () => {
      paused = !paused;
      pause.setAttribute('aria-pressed', String(paused));
      pause.textContent = paused ? 'Go on' : 'Pause updates';
      if (paused) end(); else begin();
    });
  }

  // Times go on while the page is open.
  const units = [[60, 1, 's'], [3600, 60, 'min'], [172800, 3600, 'h'], [63072000, 86400, 'd']];
  const relative = (at) => {
    const apart = Math.floor((Date.now() - at) / 1000);
    const unit = units.find(([below]) => Math.abs(apart) < below);
    if (!unit) return null;
    const number = `${Math.floor(Math.abs(apart) / unit[1])} ${unit[2]}`;
    return Math.abs(apart) < 1 ? 'now' : apart > 0 ? `${number} ago` : `in ${number}`;
  };
  const clocks = [...document.querySelectorAll('time[datetime]')];
  const offset = clocks.length > 0 && document.documentElement.dataset.now ? Date.parse(document.documentElement.dataset.now) - Date.now() : 0;
  setInterval(() => {
    if (document.hidden) return;
    for (const element of clocks) {
      const text = relative(Date.parse(element.dateTime) - offset);
      if (text && element.textContent !== text) element.textContent = text;
    }
  }, 10000);

  // The time in full is what is copied.
  document.addEventListener('copy', (event) => {
    const selected = document.getSelection();
    const element = selected && selected.anchorNode && selected.anchorNode.parentElement;
    if (element && element.tagName === 'TIME' && event.clipboardData && selected.toString() === element.textContent) {
      event.clipboardData.setData('text/plain', element.dateTime);
      event.preventDefault();
    }
  });

  // A second click on a button that is at work does nothing.
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method !== 'post') return;
    form.dataset.sent = '1';
    for (const button of form.querySelectorAll('button')) button.setAttribute('aria-busy', 'true');
  });
  window.addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  });

  // Decisions wait ten seconds, in which they can be taken back; a window that is left sends them at once.
  const waiting = new Map();
  const send = (form) => {
    const { timer, body, mark } = waiting.get(form);
    clearTimeout(timer);
    waiting.delete(form);
    mark('sent');
    fetch(form.action, { method: 'POST', body, redirect: 'manual', keepalive: true })
      .then((answer) => mark(answer.type === 'opaqueredirect' ? 'done' : `not done (${answer.status}): load the page again`))
      .catch(() => mark('not sent: load the page again'));
  };
  const takeBack = (form) => {
    if (!waiting.has(form)) return;
    clearTimeout(waiting.get(form).timer);
    waiting.get(form).mark(null);
    waiting.delete(form);
  };
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (form.dataset.undo === undefined || waiting.has(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const verdict = event.submitter.value;
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const line = document.createElement('p');
    line.setAttribute('role', 'status');
    const mark = (text) => {
      if (text === null) { line.remove(); form.hidden = false; return; }
      line.textContent = `${verdict}: ${text}`;
    };
    mark('in 10 s ');
    const undo = document.createElement('button');
    undo.type = 'button'; undo.className = 'plain small'; undo.textContent = 'Undo';
    undo.addEventListener('click', () => takeBack(form));
    line.append(undo);
    form.hidden = true;
    form.after(line);
    waiting.set(form, { body, mark, timer: setTimeout(() => send(form), 10000) });
  }, true);
  window.addEventListener('pagehide', () => { for (const form of [...waiting.keys()]) send(form); });

  const rows = [...document.querySelectorAll('[data-hold]')];
  document.addEventListener('keydown', (event) => {
    if (rows.length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(input|textarea|select)$/i.test(document.activeElement.tagName)) return;
    const here = rows.findIndex((row) => row.contains(document.activeElement));
    if (event.key === 'j' || event.key === 'k') {
      rows[Math.min(rows.length - 1, Math.max(0, here + (event.key === 'j' ? 1 : -1)))].focus();
    } else if (here >= 0 && (event.key === 'a' || event.key === 'r')) {
      const form = rows[here].querySelector('form[data-undo]:not([hidden])');
      if (form) form.querySelector(`[value=${event.key === 'a' ? 'approve' : 'reject'}]`).click();
      (rows[here + 1] || rows[here]).focus();
    } else if (event.key === 'u') {
      const last = [...waiting.keys()].pop();
      if (last) takeBack(last);
    }
  });

  // `/` goes to the search box.
  document.addEventListener('keydown', (event) => {
    const box = document.querySelector('input[type=search]');
    if (event.key !== '/' || !box || /^(input|textarea|select)$/i.test(document.activeElement.tagName)) return;
    event.preventDefault();
    box.focus();
  });
})();
