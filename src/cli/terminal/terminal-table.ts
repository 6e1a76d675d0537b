/** Tables in columns, for a terminal or a pipe. Pure: rows in, text out. */

import { escapeControls } from "../../base/text/controls.js";
import { plain, type Style, type TerminalPalette } from "./terminal-style.js";
import { type Cut, displayWidth, truncate } from "./terminal-text.js";

export interface TableColumn {
  /** The empty string in every column: no head line. */
  readonly title: string;
  /** Numbers stand right, so that their digits line up. */
  readonly align: "left" | "right";
  /** Whether, and where, its texts may be cut when the terminal is too narrow; null: never (numbers, units). */
  readonly cut: Cut | null;
}

/** A text, or one with a style. Its text is not trusted: it is escaped here, so callers must not escape or style it. */
export type Cell = string | { readonly text: string; readonly style: Style };

export interface TableLayout {
  /** Columns of the terminal; null: as wide as it takes, nothing is cut. */
  readonly width: number | null;
  readonly palette: TerminalPalette;
  /** Blanks before each line. */
  readonly indent: number;
}

const gap = 2;
/** A column is not cut below this, or names could not be distinguished; the line is then too wide instead. */
const narrowestColumn = 12;

export function leftColumn(title: string, cut: Cut | null = null): TableColumn {
  return { title, align: "left", cut };
}

export function rightColumn(title: string): TableColumn {
  return { title, align: "right", cut: null };
}

/**
 * The table, each line ended by a newline and free of trailing blanks; the empty string if it has no rows. A row
 * with too few cells is filled with empty ones; cells beyond the columns are a caller's bug (RangeError).
 */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
  layout: TableLayout = { width: null, palette: plain, indent: 0 },
): string {
  if (rows.length === 0) return "";
  const surplus = rows.findIndex((row) => row.length > columns.length);
  if (surplus >= 0) throw new RangeError(`row ${surplus} has more cells than the table has columns`);
  const hasHead = columns.some((column) => column.title !== "");
  const head: Cell[][] = hasHead ? [columns.map((column) => ({ text: column.title, style: "quiet" }))] : [];
  const lines = [...head, ...rows].map((row) => columns.map((_, i) => cellOf(row[i] ?? "")));
  const widths = columnWidths(columns, lines, layout);
  return lines.map((cells) => renderLine(columns, cells, widths, layout)).join("");
}

interface PlainCell {
  readonly text: string;
  readonly style: Style | null;
}

function cellOf(cell: Cell): PlainCell {
  if (typeof cell === "string") return { text: escapeControls(cell), style: null };
  return { text: escapeControls(cell.text), style: cell.style };
}

function columnWidths(
  columns: readonly TableColumn[],
  lines: readonly (readonly PlainCell[])[],
  layout: TableLayout,
): readonly number[] {
  const widths = columns.map((_, i) => lines.reduce((most, cells) => Math.max(most, displayWidth(cells[i]!.text)), 0));
  if (layout.width === null) return widths;
  const most = layout.width;
  widths.forEach((width, i) => {
    if (columns[i]!.cut !== null) widths[i] = Math.min(width, Math.max(most, narrowestColumn));
  });
  let excess = widths.reduce((sum, width) => sum + width, layout.indent + gap * (columns.length - 1)) - most;
  while (excess > 0) {
    // Column by column from the widest, down to the next widest: what is cut is cut where it hurts least.
    const cuttable = widths
      .map((width, i) => ({ width, i }))
      .filter(({ width, i }) => columns[i]!.cut !== null && width > narrowestColumn)
      .sort((a, b) => b.width - a.width);
    const widest = cuttable[0];
    if (widest === undefined) break;
    const downTo = Math.max(narrowestColumn, Math.min((cuttable[1]?.width ?? 0) - 1, widest.width - 1));
    const less = Math.min(excess, widest.width - downTo);
    widths[widest.i] = widest.width - less;
    excess -= less;
  }
  return widths;
}

function renderLine(
  columns: readonly TableColumn[],
  cells: readonly PlainCell[],
  widths: readonly number[],
  layout: TableLayout,
): string {
  const last = cells.findLastIndex((cell) => cell.text !== "");
  const parts = cells.slice(0, last + 1).map((cell, i) => {
    const column = columns[i]!;
    const text = column.cut === null ? cell.text : truncate(cell.text, widths[i]!, column.cut);
    const blanks = " ".repeat(Math.max(0, widths[i]! - displayWidth(text)));
    // Only the text is styled: an underline or a background must not run through the gaps.
    const styled = cell.style === null ? text : layout.palette[cell.style](text);
    if (column.align === "right") return blanks + styled;
    return i === last ? styled : styled + blanks;
  });
  const line = parts.join(" ".repeat(gap));
  return line === "" ? "\n" : `${" ".repeat(layout.indent)}${line}\n`;
}
