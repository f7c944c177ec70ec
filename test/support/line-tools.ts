import { auditLines } from '../faults/line-audit.js';
import { type LineRig, type MadeLine, readDoc } from './line-rig.js';
import { CUSTOMER } from './service.js';

/** An account id that is no account here. */
export const NOBODY = 'c0ffee000000000000000000000000ff';

/** What a sweep says that found nothing to do. */
export const NOTHING_SWEPT = {
  finished: 0,
  claimsMade: 0,
  claimsReleased: 0,
  copiesWritten: 0,
  copiesRemoved: 0,
  failures: [],
};

/** What a line's device is imported with. */
export const device = () => ({
  name: 'Samsung 013',
  voice: {
    sip: { realm: 'sip.mycompany.com', username: 'my_softphone', password: 'abcdef123456' },
  },
  data: { blocking: { cap: 0 }, throttling: { cap: 0, rate: '64k' } },
});

export const pathOf = (account: string, id: string) =>
  `/v2/support/accounts/${account}/subscriptions/${id}`;
export const devicePath = (account: string, id: string) =>
  `/v2/support/accounts/${account}/devices/${id}`;

/** `data` of the 409 of a line of which others have this, and where they have it. */
export function unique(line: Partial<MadeLine>) {
  const words = { mdn: 'MDN', sim: 'SIM', esn: 'device' };
  return Object.fromEntries(
    Object.entries(line).map(([kind, cause]) => {
      const message = `the ${words[kind as 'mdn']} is already in use`;
      const where = { account_id: expect.any(String), subscription_id: expect.any(String) };
      return [kind, { unique: { message, cause, ...where } }];
    }),
  );
}

/** What tests of lines do with their rig, which is open once they run. */
export function createLineTools(rig: () => LineRig) {
  return {
    async importLine(account = CUSTOMER, more: object = { device_data: device() }) {
      const line = await rig().makeLine();
      const answer = await rig().importInto(account, { mdn: line.mdn, ...more });
      expect([answer.status, answer.body.data.mdn]).toEqual([201, line.mdn]);
      return { ...line, id: answer.body.data.id as string };
    },

    truth: (id: string) => readDoc(rig().service.dbPrefix, 'subscriptions-top', id),

    copy(account: string, id: string) {
      const database = account.replace(/(..)(..)(.*)/, 'account/$1/$2/$3');
      return readDoc(rig().service.dbPrefix, database, id);
    },

    /** Nothing is wrong in the store, and a sweep finds nothing to do. */
    async expectSound() {
      expect(await auditLines(rig().service.dbPrefix)).toEqual([]);
      expect(await rig().service.services.refresh.subscriptions()).toEqual(NOTHING_SWEPT);
    },
  };
}
