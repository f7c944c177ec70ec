import { isJsonObject } from '../../core/json.js';
import type { SecretBox } from '../../core/secret-box.js';
import { databases } from '../../couch/databases.js';
import { stamp } from '../../couch/doc.js';
import type { SavedDoc, StoredDoc } from '../../couch/types.js';
import { rowOfDoc, type SipAccountRow, SWITCH_FIELDS, type Switch } from './sip-accounts.row.js';

/** A SIP account: Kazoo's device, with what telecom.center's has beside. */
export interface SipAccount extends SipAccountRow {
  /** Where its user name is unique. */
  readonly realm: string;
  /** As read, for writing it back; its password is as stored. */
  readonly stored: SavedDoc;
}

/** What a SIP account can be given; what is absent stays as it is, or is off or null. */
export type SipAccountChange = Partial<
  Record<Switch, boolean> & {
    readonly callerIdName: string | null;
    readonly internalCallerId: number | null;
    readonly externalCallerId: number | null;
    readonly allowedIps: string | null;
  }
>;

export interface NewSipAccount extends SipAccountChange {
  readonly username: string;
  readonly password: string;
}

export const DEVICE = 'device';
/** The field of the sealed SIP password, and what it is sealed for. */
export const SIP_PASSWORD_FIELD = 'pvt_sip_password';
/** Says in a copy whose copy it is: Kazoo's own devices stand beside ours in account databases. */
export const SOURCE_FIELD = 'pvt_source_db';

type Fields = Record<string, unknown>;

function objectIn(fields: Fields, name: string): Fields {
  const value = fields[name];
  return isJsonObject(value) ? { ...value } : {};
}

/** Sets a member, or takes it away; an object that has none left goes with it. */
function setMember(fields: Fields, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path;
  if (rest.length === 0) {
    if (value === null) delete fields[name];
    else fields[name] = value;
    return;
  }
  const inner = objectIn(fields, name);
  setMember(inner, rest, value);
  if (Object.keys(inner).length === 0) delete fields[name];
  else fields[name] = inner;
}

/** Kazoo keeps numbers as texts. */
function textOf(number: number | null): string | null {
  return number === null ? null : String(number);
}

/** What Kazoo's registrar enforces, while it is to be enforced (contract §7). */
function mirrorAllowedIps(fields: Fields, wasMirrored: boolean): void {
  const { use_allowed_ips: isUsed, allowed_ips: allowed } = fields;
  if (isUsed === true) {
    const cidrs = typeof allowed === 'string' ? allowed.split(',') : [];
    setMember(fields, ['access_lists', 'order'], 'allow,deny');
    setMember(fields, ['access_lists', 'cidrs'], cidrs);
  } else if (wasMirrored) {
    // Lists that Kazoo made itself are not ours to take away.
    setMember(fields, ['access_lists', 'order'], null);
    setMember(fields, ['access_lists', 'cidrs'], null);
  }
}

/** The document's fields with a change in them; what it does not name stays, known or not. */
function changedFields(before: Fields, change: SipAccountChange): Fields {
  const fields = { ...before };
  for (const [name, field] of Object.entries(SWITCH_FIELDS)) {
    const value = change[name as Switch];
    if (value !== undefined) fields[field] = value;
  }
  const { callerIdName, internalCallerId, externalCallerId, allowedIps } = change;
  if (callerIdName !== undefined) {
    setMember(fields, ['caller_id', 'internal', 'name'], callerIdName);
    setMember(fields, ['caller_id', 'external', 'name'], callerIdName);
  }
  if (internalCallerId !== undefined) {
    setMember(fields, ['caller_id', 'internal', 'number'], textOf(internalCallerId));
  }
  if (externalCallerId !== undefined) {
    setMember(fields, ['caller_id', 'external', 'number'], textOf(externalCallerId));
  }
  if (allowedIps !== undefined) setMember(fields, ['allowed_ips'], allowedIps);
  mirrorAllowedIps(fields, before['use_allowed_ips'] === true);
  return fields;
}

export type SipAccountDocs = ReturnType<typeof createSipAccountDocs>;

/** Reads and makes the documents, whose passwords are sealed unless Kazoo needs them. */
export function createSipAccountDocs(deps: {
  readonly box: SecretBox;
  /** `kazoo`: passwords stand in clear in `sip.password` (contract §3). */
  readonly sipPasswords: 'sealed' | 'kazoo';
  /** Unix milliseconds. */
  readonly now: () => number;
}) {
  function withPassword(fields: Fields, id: string, password: string): Fields {
    const { [SIP_PASSWORD_FIELD]: _sealed, ...rest } = fields;
    const isClear = deps.sipPasswords === 'kazoo';
    setMember(rest, ['sip', 'password'], isClear ? password : null);
    if (isClear) return rest;
    return { ...rest, [SIP_PASSWORD_FIELD]: deps.box.seal(password, id, SIP_PASSWORD_FIELD) };
  }

  function stamped(id: string, accountId: string, fields: Fields, before?: SavedDoc): StoredDoc {
    const options = { type: DEVICE, nowMs: deps.now(), accountId, audit: true };
    return { ...fields, ...stamp(before, options), _id: id };
  }

  return {
    /** Reads a stored document; undefined for what is no SIP account or is soft-deleted. */
    read(raw: SavedDoc): SipAccount | undefined {
      const row = rowOfDoc(raw);
      if (row === undefined) return undefined;
      const { realm } = objectIn(raw, 'sip');
      return { ...row, realm: typeof realm === 'string' ? realm : '', stored: raw };
    },

    /** The password in clear; null for a device that has none. `internal` when it does not open. */
    passwordOf({ id, stored }: SipAccount): string | null {
      const sealed = stored[SIP_PASSWORD_FIELD];
      if (typeof sealed === 'string') return deps.box.open(sealed, id, SIP_PASSWORD_FIELD);
      const { password } = objectIn(stored, 'sip');
      return typeof password === 'string' ? password : null;
    },

    /** A new document; `realm` is that of its account. */
    made(id: string, owner: { id: string; realm: string }, input: NewSipAccount): StoredDoc {
      const { username, password, ...change } = input;
      const off = Object.values(SWITCH_FIELDS).map((field) => [field, false] as const);
      const fields = {
        name: username,
        enabled: true,
        device_type: 'sip_device',
        sip: { method: 'password', invite_format: 'contact', username, realm: owner.realm },
        ...Object.fromEntries(off),
      };
      const whole = withPassword(changedFields(fields, change), id, password);
      return stamped(id, owner.id, whole);
    },

    /** The same account with a change in it. */
    changed(before: SipAccount, change: SipAccountChange): StoredDoc {
      const fields = changedFields(before.stored, change);
      return stamped(before.id, before.accountId, fields, before.stored);
    },

    /** The same account with another password. */
    withPassword(before: SipAccount, password: string): StoredDoc {
      const fields = withPassword(before.stored, before.id, password);
      return stamped(before.id, before.accountId, fields, before.stored);
    },

    /** The same account in another realm: that of its account has changed. */
    inRealm(before: SipAccount, realm: string): StoredDoc {
      const fields: Fields = { ...before.stored };
      setMember(fields, ['sip', 'realm'], realm);
      return stamped(before.id, before.accountId, fields, before.stored);
    },
  };
}

/** The copy in the account's database. */
export function copyOf({ stored: { _rev, ...copy } }: SipAccount): StoredDoc {
  return { ...(copy as StoredDoc), [SOURCE_FIELD]: databases.sipAuth };
}
