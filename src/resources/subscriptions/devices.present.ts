import { isJsonObject } from '../../core/json.js';
import type { DeviceFields, JoinedDevice } from './devices.doc.js';
import { wholePolicy } from './devices.schema.js';
import { presentJoined } from './subscriptions.present.js';

type Voice = DeviceFields['voice'];

/** Lists and plain reads leave the SIP password out (contract §3). */
function withoutPassword(voice: Voice): Voice {
  const sip = voice?.['sip'];
  if (!isJsonObject(sip)) return voice;
  const { password: _password, ...rest } = sip;
  return { ...voice, sip: rest };
}

function present({ device, subscription }: JoinedDevice, voice: Voice) {
  const { data, ...fields } = device.fields;
  return {
    ...fields,
    id: device.id,
    subscription: subscription === undefined ? null : presentJoined(subscription),
    data: wholePolicy(data),
    ...(voice === undefined ? {} : { voice: { protocol: 'sip', ...voice } }),
  };
}

/** A device without its SIP password. */
export function presentDevice(joined: JoinedDevice) {
  return present(joined, withoutPassword(joined.device.fields.voice));
}

/** A device with its SIP password in clear, for the pages that show it. */
export function presentOpenDevice(joined: JoinedDevice) {
  return present(joined, joined.device.fields.voice);
}

/** As {@link presentOpenDevice}, with the policies under `caps` as well. */
export function presentCappedDevice(joined: JoinedDevice) {
  const shown = presentOpenDevice(joined);
  const { blocking, throttling } = shown.data;
  return { ...shown, data: { blocking, throttling, caps: { blocking, throttling } } };
}

/** As {@link presentCappedDevice}, with `csa` where the page of imports has it too. */
export function presentImportedDevice(joined: JoinedDevice) {
  const shown = presentCappedDevice(joined);
  const csa = joined.subscription?.fields.carrier_data['csa'];
  if (shown.subscription === null || typeof csa !== 'string') return shown;
  return { ...shown, subscription: { ...shown.subscription, csa } };
}
