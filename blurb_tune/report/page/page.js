"use strict";
// Sorting and filtering of tables, marks that open their trial, and renewal while a sweep runs. Texts are set, never parsed.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const tip = document.getElementById("tip"), dialog = document.getElementById("detail");
  const title = document.getElementById("detail-title"), body = document.getElementById("detail-body");
  const UNKNOWN = "–", trials = new Map(), configurations = new Map();
  (data.configurations || []).forEach((of) => configurations.set(of.id, { ...of, trials: [] }));
  (data.trials || []).forEach(([id, place, seed, fold, outcome, score, attempt, worker, seconds, why, marks, curve]) => {
    const configuration = configurations.get(data.configurations[place].id);
    const trial = { id, configuration, seed, fold, score, attempt, seconds, curve, outcome: outcome < 0 ? "at work" : data.outcomes[outcome].replaceAll("_", " "),
      worker: data.texts[worker], why: data.texts[why], isControl: marks & 1, isConfirmation: marks & 2 };
    trials.set(id, trial);
    configuration.trials.push(trial);
  });
  const shown = (value) => (value === null || value === undefined || value === "" ? UNKNOWN : typeof value === "number" ? String(+value.toPrecision(4)).replace("-", "−") : value);
  const runOf = (trial) => `seed ${trial.seed}${trial.fold === null ? "" : ` fold ${trial.fold}`}`;
  const lineOf = (trial) => `${trial.configuration.label}, ${runOf(trial)}: ${shown(trial.score)}, ${trial.outcome}`;

  const make = (name, text, attributes = {}) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    return element;
  };
  const draw = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const facts = (rows) => {
    const list = make("dl");
    rows.forEach(([name, value]) => {
      const row = make("div");
      row.append(make("dt", name), make("dd", shown(value)));
      list.append(row);
    });
    return list;
  };

  // The curve of a trial: score and train loss over epochs, each on its own scale.
  const curveOf = ({ curve: [epochs, scores, losses], id }) => {
    const W = 480, H = 170, left = 8, top = 24, right = 8, bottom = 26;
    const svg = draw("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Learning curve of ${id}: ${data.metric} on dev and train loss, over epochs` });
    const last = Math.max(...epochs.filter((e) => e !== null), 1e-9);
    const x = (epoch) => left + ((W - left - right) * epoch) / last;
    const plot = (values, name, says, at) => {
      const known = values.filter((v) => v !== null);
      if (!known.length) return;
      let low = Math.min(...known), high = Math.max(...known);
      if (name === "score" && data.trivial !== null) (low = Math.min(low, data.trivial)), (high = Math.max(high, data.trivial));
      const y = (value) => top + (H - top - bottom) * (1 - (high > low ? (value - low) / (high - low) : 0.5));
      const parts = [[]];
      values.forEach((v, i) => (v === null || epochs[i] === null ? parts.push([]) : parts.at(-1).push(`${x(epochs[i]).toFixed(1)},${y(v).toFixed(1)}`)));
      parts.filter((p) => p.length).forEach((p) => svg.append(draw("polyline", { class: name, points: p.length === 1 ? `${p[0]} ${p[0]}` : p.join(" "), "stroke-linecap": "round" })));
      if (name === "score" && data.trivial !== null) svg.append(draw("line", { class: "base", x1: left, x2: W - right, y1: y(data.trivial), y2: y(data.trivial) }));
      svg.append(draw("text", { x: at, y: 15, "text-anchor": at > left ? "end" : "start" }, `${says}: ${shown(known.at(-1))} at the end`));
    };
    plot(losses, "loss", "- - train loss", W - right);
    plot(scores, "score", `— ${data.metric}`, left);
    svg.append(draw("text", { x: W - right, y: H - 6, "text-anchor": "end" }, `epoch ${shown(last)}`));
    return svg;
  };

  const open = (what, id) => {
    const found = (what === "trial" ? trials : configurations).get(id);
    if (!found) return;
    body.replaceChildren();
    if (what === "trial") {
      title.textContent = `${found.configuration.label}, ${runOf(found)}`;
      body.append(facts([["outcome", found.outcome], [data.metric, found.score], ["why", found.why],
        ["role", [found.isControl && "control group", found.isConfirmation && "confirmation"].filter(Boolean).join(", ") || "search"],
        ["attempt", found.attempt], ["worker", found.worker], ["training", `${shown(found.seconds)} s`], ["trial", found.id]]));
      if (found.curve[0].length) body.append(curveOf(found));
      if (data.runs) body.append(make("p"));
      if (data.runs) body.lastChild.append(make("a", "Its run in MLflow", { rel: "noopener noreferrer", href: `${data.runs}${data.runs.includes("?") ? "&" : "?"}searchFilter=${encodeURIComponent(`tags.\`blurb_tune.trial_id\` = '${found.id}'`)}` }));
      const back = make("p");
      back.append("Configuration ", make("button", found.configuration.id, { "data-configuration": found.configuration.id }));
      body.append(back, facts(found.configuration.values));
    } else {
      title.textContent = `${found.id}: ${found.label}`;
      body.append(facts([["state", found.state], ...(found.stopped ? [["stopped by", found.stopped]] : []), ...found.values]), make("h3", "Its runs"));
      const list = make("ul");
      found.trials.forEach((trial) => {
        const item = make("li"), more = trial.why ? `, ${trial.why}` : "";
        item.append(make("button", runOf(trial), { "data-trial": trial.id }), `: ${shown(trial.score)}, ${trial.outcome}${more}`);
        list.append(item);
      });
      body.append(list);
    }
    dialog.dataset.open = JSON.stringify([what, id]);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
  const openMark = (mark) => (mark.dataset.trial ? open("trial", mark.dataset.trial) : open("configuration", mark.dataset.configuration));
  const MARKS = "[data-trial],[data-configuration]";

  const say = (text, x, y) => {
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - width - 4))}px`;
    tip.style.top = `${y - height - 12 < 4 ? y + 16 : y - height - 12}px`;
  };
  const textOf = (mark) => {
    const trial = trials.get(mark.dataset.trial), of = configurations.get(mark.dataset.configuration);
    return trial ? lineOf(trial) : of ? `${of.id}: ${of.label}` : "";
  };
  // Marks are small and lines are thin: whoever points or taps beside one means the nearest. Of a line points all along count.
  const spots = new WeakMap();
  const spotsOf = (svg) => {
    if (!spots.has(svg)) spots.set(svg, [...svg.querySelectorAll(MARKS)].filter((mark) => mark.tagName !== "text").map((mark) => {
      const shapes = mark.getTotalLength ? [mark] : [...mark.querySelectorAll("path,polyline,line,circle,rect")];
      return [mark, shapes.flatMap((shape) => {
        const box = shape.getBBox(), length = Math.max(box.width, box.height) > 24 && shape.tagName !== "rect" ? shape.getTotalLength() : 0;
        if (!length) return [[box.x + box.width / 2, box.y + box.height / 2]];
        const steps = Math.min(120, Math.ceil(length / 8));
        return Array.from({ length: steps + 1 }, (_, step) => shape.getPointAtLength((length * step) / steps)).map(({ x, y }) => [x, y]);
      })];
    }));
    return spots.get(svg);
  };
  const markAt = (event) => {
    const hit = event.target.closest?.(MARKS), svg = event.target.closest?.("figure svg");
    if (hit || !svg) return hit;
    const matrix = svg.getScreenCTM(), at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    let best = null, least = (12 / matrix.a) ** 2;
    for (const [mark, points] of spotsOf(svg)) for (const [x, y] of points) {
      const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
      if (distance < least) [best, least] = [mark, distance];
    }
    return best;
  };
  document.addEventListener("click", (event) => {
    const mark = markAt(event);
    if (mark) openMark(mark);
    else if (event.target === dialog || event.target.closest(".close")) dialog.close();
  });
  let chosen = null;
  document.addEventListener("pointermove", (event) => {
    const mark = dialog.open ? null : markAt(event), isInFigure = mark?.closest("svg");
    if (mark !== chosen) {
      chosen?.classList.remove("chosen");
      chosen = isInFigure ? mark : null;
      chosen?.classList.add("chosen");
    }
    if (isInFigure || !tip.hidden) say(isInFigure ? textOf(mark) : "", event.clientX, event.clientY);
  });
  document.addEventListener("scroll", () => say(""), { passive: true });
  dialog.addEventListener("close", () => delete dialog.dataset.open);

  // By keyboard a figure is one stop: arrows go from mark to mark, Enter opens one.
  const reach = (mark) => {
    mark.setAttribute("role", "button");
    mark.setAttribute("aria-label", textOf(mark));
    mark.setAttribute("tabindex", "0");
  };
  document.querySelectorAll("figure svg").forEach((svg) => {
    const marks = [...svg.querySelectorAll(".trial[data-trial]")].filter((mark) => trials.has(mark.dataset.trial));
    if (!marks.length) return;
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-roledescription", "figure");
    svg.querySelectorAll("text").forEach((text) => text.setAttribute("aria-hidden", "true"));
    reach(marks[0]);
    svg.addEventListener("keydown", (event) => {
      const at = marks.indexOf(event.target);
      if (at < 0) return;
      const configurationAt = (index) => trials.get(marks[index].dataset.trial).configuration;
      const nextRow = (step) => {
        let index = at;
        while (marks[index + step] && configurationAt(index) === configurationAt(at)) index += step;
        return index;
      };
      const to = { ArrowRight: () => at + 1, ArrowLeft: () => at - 1, ArrowDown: () => nextRow(1), ArrowUp: () => nextRow(-1), Home: () => 0, End: () => marks.length - 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") openMark(event.target);
      else if (!to) return;
      else if (marks[to()]) {
        const next = marks[to()];
        reach(next);
        next.focus();
        marks[at].removeAttribute("tabindex");
      }
      event.preventDefault();
    });
    svg.addEventListener("focusin", (event) => {
      const box = event.target.getBoundingClientRect();
      say(textOf(event.target), box.right, box.top);
    });
    svg.addEventListener("focusout", () => say(""));
  });

  // Tables
  const keyOf = (cell) => {
    if (cell.dataset.value !== undefined) return +cell.dataset.value;
    const text = cell.textContent.trim();
    return text === UNKNOWN || text === "" ? null : Number.isNaN(+text.replace("−", "-")) ? text : +text.replace("−", "-");
  };
  const sort = (table, column, descending) => {
    table.querySelectorAll("thead th").forEach((th, index) => (index === column ? th.setAttribute("aria-sort", descending ? "descending" : "ascending") : th.removeAttribute("aria-sort")));
    for (const part of table.tBodies) {
      const rows = [...part.rows].filter((row) => !row.classList.contains("group")).map((row) => [keyOf(row.cells[column]), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
        return descending ? -order : order;
      });
      part.append(...rows.map(([, row]) => row));
    }
  };
  const filter = (box, text) => {
    const words = text.toLowerCase().replaceAll("-", "−").split(/\s+/).filter(Boolean);
    const rows = [...box.querySelectorAll("tbody tr:not(.group)")];
    let left = 0;
    rows.forEach((row) => {
      const line = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase().replaceAll("-", "−");
      row.hidden = !words.every((word) => line.includes(word));
      left += !row.hidden;
    });
    box.querySelector(".count").textContent = words.length ? `${left} of ${rows.length} rows` : "";
  };
  const boxes = [...document.querySelectorAll(".table")];
  boxes.forEach((box) => {
    const table = box.querySelector("table");
    table.querySelectorAll("thead th").forEach((th, column) => {
      const button = make("button", th.textContent);
      th.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = th.getAttribute("aria-sort"), isNumber = th.classList.contains("number");
        sort(table, column, before ? before === "ascending" : isNumber);
      });
    });
    const input = box.querySelector("input");
    if (input) input.addEventListener("input", () => filter(box, input.value));
  });

  // On paper everything is open; a page of a running sweep comes again as it was left.
  let folded = [];
  addEventListener("beforeprint", () => (folded = [...document.querySelectorAll("details:not([open],.help)")]).forEach((of) => (of.open = true)));
  addEventListener("afterprint", () => folded.forEach((of) => (of.open = false)));
  const KEY = `blurb-tune ${location.pathname}`;
  try {
    const was = JSON.parse(sessionStorage.getItem(KEY) || "null");
    sessionStorage.removeItem(KEY);
    if (was) {
      document.querySelectorAll("details").forEach((of, index) => (of.open = was.open.includes(index)));
      boxes.forEach((box, index) => {
        const [column, order, text, left] = was.tables[index] || [];
        if (order) sort(box.querySelector("table"), column, order === "descending");
        if (text) (box.querySelector("input").value = text), filter(box, text);
        box.querySelector(".scroll").scrollLeft = left || 0;
      });
      if (was.dialog) open(...JSON.parse(was.dialog));
      scrollTo(0, was.y);
    }
  } catch { /* a browser that keeps nothing shows the page anew */ }
  const every = +document.documentElement.dataset.renew;
  if (every) setTimeout(() => {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({
        y: scrollY, dialog: dialog.dataset.open,
        open: [...document.querySelectorAll("details")].flatMap((of, index) => (of.open ? [index] : [])),
        tables: boxes.map((box) => {
          const heads = [...box.querySelectorAll("thead th")], column = heads.findIndex((th) => th.hasAttribute("aria-sort"));
          return [column, column < 0 ? "" : heads[column].getAttribute("aria-sort"), box.querySelector("input")?.value || "", box.querySelector(".scroll").scrollLeft];
        }),
      }));
    } catch { /* as above */ }
    location.reload();
  }, every * 1000);
})();
