import { z } from 'zod';
import { InvalidError, type Issue } from '../../core/errors.js';
import { toGregorian } from '../../core/gregorian.js';
import type { JsonObject } from '../../core/json.js';
import { mergePatch } from '../../core/merge.js';
import { isPrivateField } from '../../core/private-fields.js';
import { validate } from '../../core/validation.js';
import { getHeld, type LineBase, type Match, noMatch } from './subscriptions.base.js';
import type { ChangeLine } from './subscriptions.change.js';
import type { Subscription, SubscriptionChange, SubscriptionFields } from './subscriptions.doc.js';
import { carrierName, subscriptionFields } from './subscriptions.schema.js';

/** A PATCH of support; `id` is the document's, for devices in any spelling. */
export interface PatchInput {
  readonly accountId: string;
  /** The cluster of the account; undefined: any. */
  readonly clusterId?: string | undefined;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly recursive: boolean;
}

/** What is nobody's to patch: the place of a document, for which there is the move. */
const FORBIDDEN: readonly string[] = ['id', 'account_id', 'cluster_id', 'esn_display'];

/** All members of a patch that may not be in one (top-support.md A4-37), by name. */
export function forbiddenIssues(data: object, path: readonly string[] = []): Issue[] {
  return Object.keys(data)
    .filter((name) => isPrivateField(name) || FORBIDDEN.includes(name))
    .map((name) => ({
      path: [...path, name],
      rule: 'forbidden',
      message: `${name} cannot be patched`,
    }));
}

/** The time of a manual update, which the server sets last, whatever the client sent (A4-33). */
export function withManualUpdate<F extends object>(fields: F, nowMs: number): F {
  const { additional_properties: given } = fields as { additional_properties?: object };
  const additional_properties = { ...given, last_manual_update: toGregorian(nowMs) };
  return { ...fields, additional_properties };
}

const named = z.object({ carrier_name: carrierName });

/** The value of a check, and its faults put with those of others, at their place in the patch. */
export function judged<T>(
  issues: Issue[],
  check: () => T,
  path: readonly string[] = [],
): T | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    issues.push(...error.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] })));
    return undefined;
  }
}

/** A line after a patch, judged as a whole: what of it is to be written. */
export function patchedLine(
  line: Subscription,
  data: Readonly<Record<string, unknown>>,
  recursive: boolean,
  nowMs: number,
): SubscriptionChange {
  const before = { ...line.fields, carrier_name: line.carrierName } as unknown as JsonObject;
  const merged = mergePatch(before, data as JsonObject, { recursive });
  const { carrier_name, ...rest } = merged;
  const issues: Issue[] = [];
  const name = judged(issues, () => validate(named, { carrier_name }));
  const fields = judged(issues, () => validate(subscriptionFields, rest));
  if (name === undefined || fields === undefined) throw new InvalidError(issues);
  return {
    fields: withManualUpdate(fields as SubscriptionFields, nowMs),
    carrierName: name.carrier_name,
  };
}

/** PATCH of a subscription (A2 16): any public field; its carrier is not asked. */
export function createPatchSubscription(base: LineBase, changeLine: ChangeLine) {
  return async (input: PatchInput, match: Match = noMatch): Promise<Subscription> => {
    const { data, recursive } = input;
    return changeLine(
      () => getHeld(base, input, input.id),
      async (line) => {
        match(line.revision);
        const issues = forbiddenIssues(data);
        const change = judged(issues, () => patchedLine(line, data, recursive, base.now()));
        if (change === undefined || issues.length > 0) throw new InvalidError(issues);
        return { change };
      },
    );
  };
}
