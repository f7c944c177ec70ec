import { networkContains, parseIp } from '../../src/core/ip-address.js';
import { addressesOf, countAddresses, parseBlock } from '../../src/core/ip-block.js';

function block(text: string) {
  const found = parseBlock(text);
  if ('fault' in found) throw new Error(`${text} is no block: ${found.fault}`);
  return found;
}

describe('a block of addresses', () => {
  it.each([
    ['192.0.2.0/30', ['192.0.2.0', '192.0.2.1', '192.0.2.2', '192.0.2.3']],
    ['255.255.255.254/31', ['255.255.255.254', '255.255.255.255']],
    ['192.0.2.7/32', ['192.0.2.7']],
    ['2001:db8::ffff:fffe/127', ['2001:db8::ffff:fffe', '2001:db8::ffff:ffff']],
    ['::/126', ['::', '::1', '::2', '::3']],
    ['::ffff:192.0.2.0/127', ['192.0.2.0', '192.0.2.1']],
  ])('%s has all of its addresses in their one spelling', (text, ips) => {
    expect([...addressesOf(block(text))]).toEqual(ips);
    expect(countAddresses(block(text))).toBe(ips.length);
  });

  it.each(['10.1.0.0/16', '2001:db8::/112'])('%s is the largest of its kind', (text) => {
    const network = block(text);
    const ips = [...addressesOf(network)];
    expect(ips).toHaveLength(65_536);
    expect(new Set(ips).size).toBe(65_536);
    for (const n of [0, 1, 255, 256, 4660, 65_535]) {
      const ip = ips[n] ?? '';
      expect(parseIp(ip)).toBe(ip);
      expect(networkContains(network, ips[n] as NonNullable<(typeof ips)[number]>)).toBe(true);
    }
  });

  it.each([
    ['192.0.2.1/30', { fault: 'hostBits', network: '192.0.2.0/30' }],
    ['2001:db8::1/64', { fault: 'size' }],
    ['10.0.0.0/15', { fault: 'size' }],
    ['::ffff:0.0.0.0/96', { fault: 'size' }],
    ['192.0.2.1', { fault: 'format' }],
    ['192.0.2.0/255.255.255.0', { fault: 'format' }],
    ['/24', { fault: 'format' }],
    ['010.0.0.0/24', { fault: 'format' }],
  ])('%s is none', (text, fault) => {
    expect(parseBlock(text)).toEqual(fault);
  });
});
