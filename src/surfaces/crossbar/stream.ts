import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import type { Response } from 'express';
import { presentError } from './errors.js';
import type { StreamReply } from './route.js';

type OnError = (error: unknown, status: number) => void;

/** Members of one object or list that are written as one piece. */
const PIECE_MEMBERS = 1000;
/** Objects with more members than this are written in pieces. */
const LARGE_MEMBERS = 4000;
/** How deep in an envelope large objects are looked for: `data` and what is in it. */
const LARGE_DEPTH = 2;

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isLarge(value: unknown): boolean {
  if (!isObject(value)) return false;
  return (Array.isArray(value) ? value.length : Object.keys(value).length) > LARGE_MEMBERS;
}

/** True for an envelope whose text would keep everybody else waiting while it is made. */
export function hasLargeData(envelope: object): boolean {
  const data = 'data' in envelope ? envelope.data : undefined;
  return isLarge(data) || (isObject(data) && Object.values(data).some(isLarge));
}

/** The JSON text of a value, in pieces where it or what is in it is large. */
function* jsonPieces(value: unknown, depth = LARGE_DEPTH): Generator<string> {
  if (!isObject(value) || (depth === 0 && !isLarge(value))) {
    yield JSON.stringify(value);
    return;
  }
  const isList = Array.isArray(value);
  if (isLarge(value)) yield* largePieces(value, isList);
  else if (isList) yield JSON.stringify(value);
  else yield* memberPieces(value, depth);
}

function* memberPieces(value: object, depth: number): Generator<string> {
  let separator = '{';
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    yield `${separator}${JSON.stringify(name)}:`;
    yield* jsonPieces(member, depth - 1);
    separator = ',';
  }
  yield separator === '{' ? '{}' : '}';
}

/** Each piece is the text of a part of the members, without the brackets around it. */
function* largePieces(value: object, isList: boolean): Generator<string> {
  const members = isList ? (value as unknown[]) : Object.entries(value);
  yield isList ? '[' : '{';
  for (let start = 0; start < members.length; start += PIECE_MEMBERS) {
    const part = members.slice(start, start + PIECE_MEMBERS);
    const text = JSON.stringify(isList ? part : Object.fromEntries(part as [string, unknown][]));
    yield (start === 0 ? '' : ',') + text.slice(1, -1);
  }
  yield isList ? ']' : '}';
}

/** The text of a large envelope, made piece by piece: other requests are served in between. */
export async function largeText(envelope: object): Promise<string> {
  const pieces: string[] = [];
  for (const piece of jsonPieces(envelope)) {
    pieces.push(piece);
    await setImmediate();
  }
  return pieces.join('');
}

/**
 * Sends a large envelope piece by piece, so that other requests are served in between. The head
 * must have been set; what goes wrong now can only end the connection.
 */
export async function sendLarge(
  response: Response,
  envelope: object,
  onError: OnError,
): Promise<void> {
  await pipe(response, Readable.from(jsonPieces(envelope)), onError);
}

/**
 * Sends an answer that is made while it is sent. A failure before its first part is thrown and
 * becomes an ordinary error; a later one ends the connection, so that nobody takes a part of a
 * list for the whole.
 */
export async function sendStream(
  response: Response,
  reply: StreamReply,
  mediaType: string,
  onError: OnError,
): Promise<void> {
  const parts = reply.stream[Symbol.asyncIterator]();
  const first = await parts.next();
  async function* all(): AsyncGenerator<string> {
    if (first.done) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => parts };
  }
  response.status(200).setHeader('content-type', `${mediaType}; charset=utf-8`);
  response.setHeader('content-disposition', `attachment; filename="${reply.fileName}"`);
  response.setHeader('vary', 'accept');
  await pipe(response, Readable.from(all()), onError);
}

async function pipe(response: Response, parts: Readable, onError: OnError): Promise<void> {
  try {
    await pipeline(parts, response);
  } catch (error) {
    onError(error, presentError(error).status);
    response.destroy();
  }
}
