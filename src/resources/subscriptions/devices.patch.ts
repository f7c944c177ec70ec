import { parseDeviceId } from '../../core/device-id.js';
import { AppError, hasCode, InvalidError, type Issue } from '../../core/errors.js';
import { isJsonObject, type JsonObject } from '../../core/json.js';
import { parseMdn } from '../../core/mdn.js';
import { mergePatch } from '../../core/merge.js';
import { newId } from '../../core/operation.js';
import { validate } from '../../core/validation.js';
import type { DeviceFields, JoinedDevice, MobileDevice } from './devices.doc.js';
import { deviceFields, foldCaps } from './devices.schema.js';
import {
  attempt,
  isHeldBy,
  type LineBase,
  MAX_TRIES,
  type Match,
  noMatch,
  settleCopies,
} from './subscriptions.base.js';
import type { ChangeLine } from './subscriptions.change.js';
import type { Subscription } from './subscriptions.doc.js';
import {
  forbiddenIssues,
  judged,
  type PatchInput,
  patchedLine,
  withManualUpdate,
} from './subscriptions.patch.js';

/** A patch of a device in its two parts, and what is wrong with it before anything is merged. */
interface Parts {
  readonly own: JsonObject;
  /** What is for the document of its subscription; undefined: nothing. */
  readonly line: JsonObject | undefined;
  readonly issues: readonly Issue[];
}

/** PATCH of a device (A2 12): any public field; through `subscription` its line's as well. */
export function createPatchDevice(base: LineBase, changeLine: ChangeLine) {
  const { store, devices } = base;

  async function join(device: MobileDevice | undefined): Promise<JoinedDevice | undefined> {
    if (device === undefined) return undefined;
    return { device, subscription: (await store.findNaming([device])).get(device.id) };
  }

  async function findById(id: string | undefined): Promise<JoinedDevice | undefined> {
    return id === undefined ? undefined : join(await store.findDevice(id));
  }

  /** By any spelling of its id, or by its number: eleven digits may be either, an id goes first. */
  async function findNamed(text: string): Promise<JoinedDevice | undefined> {
    const byId = await findById(parseDeviceId(text, { strict: true })?.id);
    const mdn = parseMdn(text);
    if (byId !== undefined || mdn === undefined) return byId;
    return findById((await store.findBy('mdn', [mdn])).get(mdn)?.esn ?? undefined);
  }

  async function get(input: PatchInput, find: () => Promise<JoinedDevice | undefined>) {
    const found = await find();
    const holder = found?.subscription ?? found?.device.ownHolder;
    if (found !== undefined && isHeldBy(input, holder)) return found;
    throw new AppError('not_found', 'no such device', { subject: input.id });
  }

  /** The device's own fields after the patch, judged as a whole. */
  function patched(device: MobileDevice, own: JsonObject, recursive: boolean): DeviceFields {
    const before = device.fields as unknown as JsonObject;
    const merged = mergePatch(before, own, { recursive });
    return withManualUpdate(validate(deviceFields, merged), base.now()) as DeviceFields;
  }

  /** The device's own part of a patch; what is wrong with either part goes to `issues`. */
  function judgeOwn({ data, recursive }: PatchInput, found: JoinedDevice, issues: Issue[]) {
    const { own, line, issues: given } = split(data, found);
    issues.push(...given);
    return { fields: judged(issues, () => patched(found.device, own, recursive)), line };
  }

  async function settle(joined: JoinedDevice): Promise<void> {
    const { id } = joined.device;
    const accountId = accountOf(joined);
    await settleCopies(base, [accountId], [id]);
    // Its line may have been moved while the device was written, and settled the copies before.
    await attempt(base, accountId ?? '', 'copies', async () => {
      const now = accountOf((await join(joined.device)) ?? joined);
      if (now !== accountId) await settleCopies(base, [now], [id]);
    });
  }

  /** Writes the device's own fields over whatever others write there. */
  async function patchOwn(input: PatchInput, id: string, match: Match): Promise<JoinedDevice> {
    for (let tries = 1; ; tries += 1) {
      const found = await get(input, () => findById(id));
      match(found.device.revision);
      const issues: Issue[] = [];
      const { fields } = judgeOwn(input, found, issues);
      if (fields === undefined || issues.length > 0) throw new InvalidError(issues);
      try {
        const device = await store.saveDevice(devices.changed(found.device, fields));
        const joined = { ...found, device };
        await settle(joined);
        return joined;
      } catch (error) {
        if (!hasCode(error, 'conflict') || tries >= MAX_TRIES) throw error;
      }
    }
  }

  /** The subscription first, which counts; the device after it, noted so that nothing is lost. */
  async function patchBoth(
    input: PatchInput,
    { device: { id }, subscription }: JoinedDevice & { subscription: Subscription },
    match: Match,
  ): Promise<JoinedDevice> {
    let written: JoinedDevice | undefined;
    const load = async () => (await get(input, () => findById(id))).subscription ?? subscription;
    const line = await changeLine(load, async (current) => {
      const found = await get(input, () => findById(id));
      match(found.device.revision);
      const issues: Issue[] = [];
      const { fields, line: data = {} } = judgeOwn(input, found, issues);
      const judgeLine = () => patchedLine(current, data, input.recursive, base.now());
      const change = judged(issues, judgeLine, ['subscription']);
      const isFine = issues.length === 0 && fields !== undefined && change !== undefined;
      if (!isFine) throw new InvalidError(issues);
      written = found;
      const patchId = newId();
      const doc = devices.changed(found.device, fields);
      return {
        change: { ...change, patchId },
        patch: { id: patchId, device: doc },
        finish: async () => {
          written = await patchOwn(input, id, noMatch);
        },
      };
    });
    return {
      device: written?.device ?? (await get(input, () => findById(id))).device,
      subscription: line,
    };
  }

  return async (input: PatchInput, match: Match = noMatch): Promise<JoinedDevice> => {
    const found = await get(input, () => findNamed(input.id));
    const { subscription } = found;
    const { line } = split(input.data, found);
    if (line === undefined || subscription === undefined) {
      return patchOwn(input, found.device.id, match);
    }
    return patchBoth(input, { ...found, subscription }, match);
  };
}

/** Takes a patch apart, and says what is wrong with it before anything is merged. */
function split(data: Readonly<Record<string, unknown>>, found: JoinedDevice): Parts {
  const { subscription: given, data: policy, ...rest } = data as JsonObject;
  const issues = forbiddenIssues(rest);
  const own: JsonObject = { ...rest };
  if (isJsonObject(policy)) {
    const folded = foldCaps(policy, found.device.fields.data);
    own['data'] = folded.data;
    for (const { path, message } of folded.faults) {
      issues.push({ path: ['data', ...path], rule: 'invalid', message });
    }
  } else if (policy !== undefined) own['data'] = policy;
  const line = splitLine(given, found.subscription, issues);
  return { own, line, issues };
}

/** The part for the subscription; what an answer showed there and was sent back says nothing. */
function splitLine(
  given: unknown,
  line: Subscription | undefined,
  issues: Issue[],
): JsonObject | undefined {
  const fault = (message: string, path: string[] = [], rule = 'invalid') => {
    issues.push({ path: ['subscription', ...path], rule, message });
    return undefined;
  };
  if (given === undefined || (given === null && line === undefined)) return undefined;
  if (line === undefined) return fault('The device is detached, no subscription names it');
  if (!isJsonObject(given)) return fault('Value did not match type(s): object', [], 'type');
  const { id, csa, ...rest } = given;
  if (id !== undefined && id !== line.id) fault('id cannot be patched', ['id'], 'forbidden');
  if (csa !== undefined && csa !== line.fields.carrier_data['csa']) {
    fault('csa stands in carrier_data', ['csa']);
  }
  const { esn } = rest;
  if (esn !== undefined && esn !== line.esn && !isSameDevice(esn, line.esn)) {
    fault('The device of a subscription is changed by a patch of the subscription', ['esn']);
  }
  issues.push(...forbiddenIssues(rest, ['subscription']));
  return rest;
}

function accountOf({ device, subscription }: JoinedDevice): string | undefined {
  return (subscription ?? device.ownHolder)?.accountId;
}

function isSameDevice(text: unknown, esn: string | null): boolean {
  return typeof text === 'string' && parseDeviceId(text, { strict: true })?.id === esn;
}
