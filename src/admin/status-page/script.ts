import { createCharts, linePath, niceTop } from "./charts.ts";
import { connect } from "./connection.ts";
import { byId, element, isInBackground, isSelected, mark, reveal, say, showInTab, whenShown } from "./dom.ts";
import { firstRequest, shellQuoted } from "./first-request.ts";
import { ago, ahead, amount, count, latency, percent, plural, span } from "./format.ts";
import { hashOf, selectionOf, startPage } from "./page.ts";
import { cell, clockTime, createPanels, header, operations, processFacts, tenantRule } from "./panels.ts";
import { squeezeScript } from "./squeeze.ts";
import { allRows, isMachines, judge, rankOf, rowKey, select, tally, tokenRow } from "./token-rows.ts";
import { createShown, createTokenTable, fillShown } from "./token-table.ts";
import { findProblems, isErrorRatioHigh, judgeAll, showVerdict } from "./verdict.ts";

/**
 * Every function that the page runs, one behind the other. They are written as modules, checked and tested as such, and
 * reach the browser as their own text, without types; so nothing but functions may be used of one in another.
 */
export const FUNCTIONS: readonly ((...parameters: never[]) => unknown)[] = [
  byId,
  element,
  say,
  mark,
  reveal,
  isSelected,
  isInBackground,
  whenShown,
  showInTab,
  span,
  ago,
  ahead,
  count,
  amount,
  percent,
  latency,
  plural,
  rowKey,
  tokenRow,
  isMachines,
  allRows,
  judge,
  tally,
  rankOf,
  select,
  linePath,
  niceTop,
  createCharts,
  createShown,
  fillShown,
  createTokenTable,
  isErrorRatioHigh,
  findProblems,
  judgeAll,
  showVerdict,
  shellQuoted,
  firstRequest,
  header,
  cell,
  operations,
  tenantRule,
  clockTime,
  processFacts,
  createPanels,
  connect,
  selectionOf,
  hashOf,
  startPage,
];

/**
 * The page's script as the browser gets it. A bundler that is told to keep names (esbuild's `keepNames`, which some runners of
 * TypeScript set) writes calls of a function of its own into every function; in the page that one does nothing.
 */
export const PAGE_SCRIPT = squeezeScript(
  `function __name(named) { return named; }\n${FUNCTIONS.map(String).join("\n")}\n${startPage.name}();\n`,
);
