import {
  compareIps,
  formatNetwork,
  type IpAddress,
  type IpNetwork,
  ipBytes,
  ipVersion,
  networkContains,
  parseIp,
  parseNetwork,
} from '../../src/core/ip-address.js';

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`${text} is not an address`);
  return parsed;
}

function network(text: string): IpNetwork {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`${text} is not a network`);
  return parsed;
}

describe('parseIp', () => {
  test.each([
    ['1.2.3.4', '1.2.3.4'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8::00A', '2001:db8::a'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::1.2.3.4', '::102:304'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['::FFFF:102:304', '1.2.3.4'],
    ['0:0:0:0:0:ffff:1.2.3.4', '1.2.3.4'],
    ['0000:0000:0000:0000:0000:ffff:255.255.255.255', '255.255.255.255'],
    ['::ffff:0:1.2.3.4', '::ffff:0:102:304'],
  ])('gives %s the one spelling %s', (text, canonical) => {
    expect(parseIp(text)).toBe(canonical);
  });

  test.each([
    '',
    ' ',
    '1.2.3',
    '1.2.3.',
    '.1.2.3.4',
    '1.2.3.4.5',
    '1.2.3.256',
    '010.0.0.1',
    '1.2.3.04',
    '0x7f.1',
    '0x7f000001',
    '2130706433',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1.2.3.4\0',
    '1.2.3.4/32',
    '+1.2.3.4',
    '1.2.3.-4',
    '１.2.3.4',
    '1。2。3。4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '[::1]',
    'fe80::1%eth0',
    'fe80::1%',
    '::ffff:1.2.3',
    '::ffff:010.2.3.4',
    '::ffff:0x1.2.3.4',
    '::ffff:1.2.3.256',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '..',
    '%2e%2e',
    '_all_docs',
    '::1'.padEnd(4096, '0'),
    '1'.repeat(4096),
  ])('refuses %j', (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

test('an address knows its family and its bytes', () => {
  expect(ipVersion(ip('1.2.3.4'))).toBe(4);
  expect(ipVersion(ip('::1'))).toBe(6);
  expect([...ipBytes(ip('1.2.3.255'))]).toEqual([1, 2, 3, 255]);
  expect([...ipBytes(ip('2001:db8::ff'))]).toEqual([32, 1, 13, 184, ...Array(11).fill(0), 255]);
});

test('addresses sort by number, IPv4 before IPv6', () => {
  const shuffled = ['::2', '10.0.0.1', '9.255.0.0', '::10', '9.0.0.0', 'ffff::', '10.0.0.1'];
  expect(shuffled.map(ip).sort(compareIps)).toEqual([
    '9.0.0.0',
    '9.255.0.0',
    '10.0.0.1',
    '10.0.0.1',
    '::2',
    '::10',
    'ffff::',
  ]);
});

describe('parseNetwork', () => {
  test.each([
    ['92.255.220.0/24', '92.255.220.0/24'],
    ['92.255.220.10', '92.255.220.10'],
    ['92.255.220.10/32', '92.255.220.10'],
    ['92.255.220.10/24', '92.255.220.0/24'],
    ['255.255.255.255/31', '255.255.255.254/31'],
    ['10.1.2.3/9', '10.0.0.0/9'],
    ['1.2.3.4/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['2001:DB8::1/32', '2001:db8::/32'],
    ['2001:db8::1/128', '2001:db8::1'],
    ['2001:db8:8000::/33', '2001:db8:8000::/33'],
    ['::ffff:10.1.2.3/104', '10.0.0.0/8'],
    ['::ffff:10.1.2.3/96', '0.0.0.0/0'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:a01:203/128', '10.1.2.3'],
    ['::ffff:10.1.2.3/95', '::fffe:0:0/95'],
    ['::ffff:10.1.2.3/0', '::/0'],
  ])('reads %s as %s', (text, canonical) => {
    expect(formatNetwork(network(text))).toBe(canonical);
    expect(parseNetwork(canonical)).toEqual(network(text));
  });

  test.each([
    '',
    '/',
    '/24',
    '1.2.3.0/',
    '1.2.3.0/33',
    '1.2.3.0/024',
    '1.2.3.0/08',
    '1.2.3.0/-1',
    '1.2.3.0/+8',
    '1.2.3.0/8 ',
    '1.2.3.0 /8',
    '1.2.3.0/8/8',
    '1.2.3.0/1e1',
    '1.2.3.0/255.255.255.0',
    '1.2.3.0/24,1.2.4.0/24',
    '1.2.3/24',
    '010.0.0.0/8',
    '::/129',
    '::ffff:1.2.3.4/129',
    'fe80::1%eth0/64',
    '::/0000',
    `::/${'1'.repeat(4096)}`,
  ])('refuses %j', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});

describe('networkContains', () => {
  test.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.128.0.0/9', '10.127.255.255', false],
    ['1.2.3.4', '1.2.3.4', true],
    ['1.2.3.4', '1.2.3.5', false],
    ['0.0.0.0/0', '255.1.2.3', true],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['::/0', '1.2.3.4', false],
    ['0.0.0.0/0', '::1', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
  ])('%s with %s: %s', (text, address, expected) => {
    expect(networkContains(network(text), ip(address))).toBe(expected);
  });
});
