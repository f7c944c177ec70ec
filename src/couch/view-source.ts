import { parse, type Token } from 'acorn';
import { AppError } from '../core/errors.js';

/** CouchDB's own reduce functions; they run in the store instead of in JavaScript. */
const BUILT_IN = /^_(?:count|sum|stats|approx_count_distinct)$/;

/**
 * The text of a view's function as it is uploaded: `(function map(doc) {…})`, without comments.
 * The index follows the text, so a file whose comments or blank lines change must give the same
 * text. `internal` unless the file is exactly one named ES5 function, which is all that CouchDB's
 * JavaScript can be trusted with.
 */
export function functionText(source: string, file: string): string {
  const tokens: Token[] = [];
  const program = parsed(source, file, tokens);
  const [statement, ...more] = program.body;
  if (statement?.type !== 'FunctionDeclaration' || more.length > 0) {
    throw fault(file, 'must be exactly one named function');
  }
  const own = tokens.filter((token) => token.end > token.start);
  const text = own.map((token, n) => {
    const before = own[n - 1];
    const word = source.slice(token.start, token.end);
    if (before === undefined) return word;
    const gap = source.slice(before.end, token.start);
    return spacing(gap, source.slice(before.start, before.end), word) + word;
  });
  return `(${text.join('')})`;
}

/** A reduce file: the name of a built-in or a function. */
export function reduceText(source: string, file: string): string {
  const text = source.trim();
  return BUILT_IN.test(text) ? text : functionText(source, file);
}

function parsed(source: string, file: string, tokens: Token[]): ReturnType<typeof parse> {
  try {
    return parse(source, { ecmaVersion: 5, sourceType: 'script', onToken: tokens });
  } catch (error) {
    throw fault(file, error instanceof Error ? error.message : String(error));
  }
}

/**
 * What stands between two tokens, comments left out: one line break with its indent, a blank, or
 * nothing. The text must be the same as if the comment had never been there.
 */
function spacing(gap: string, before: string, after: string): string {
  const blank = gap.replace(/\/\*[\s\S]*?\*\/[ \t]*/g, '').replace(/\/\/[^\n]*/g, '');
  const lineBreak = blank.lastIndexOf('\n');
  // A comment over several lines ends a statement as a line break does.
  if (lineBreak >= 0 || gap.includes('\n')) return `\n${blank.slice(lineBreak + 1)}`;
  const isBracketed = /[([{,;]$/.test(before) || /^[)\]},;.]/.test(after);
  return blank !== '' || (gap !== '' && !isBracketed) ? ' ' : '';
}

function fault(file: string, what: string): AppError {
  return new AppError('internal', `${file}: ${what}`, { subject: file });
}
