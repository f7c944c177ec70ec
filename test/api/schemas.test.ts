import { failure, invalid, noSuch, success, unauthenticated } from '../support/envelope.js';
import { startTestService, type TestService } from '../support/service.js';

const NAMES = ['accounts', 'api_auth', 'ip', 'ips', 'user_auth', 'users'];

describe('schemas', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
  });
  afterAll(() => service.stop());

  it('are listed in order, without a token', async () => {
    const answer = await service.call('GET', '/v2/schemas');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(success(NAMES, {}, 'nobody'));
  });

  it.each(NAMES)('%s is shown under its id, without a token', async (name) => {
    const answer = await service.call('GET', `/v2/schemas/${name}`);
    expect(answer.status).toBe(200);
    const { id, $schema, type, properties } = answer.body.data;
    expect({ id, $schema, type }).toEqual({
      id: name,
      $schema: 'http://json-schema.org/draft-04/schema#',
      type: 'object',
    });
    expect(Object.keys(properties).length).toBeGreaterThan(0);
    expect(answer.body).toEqual(success(answer.body.data, {}, 'nobody'));
  });

  it('say what is required, and what may be added', async () => {
    const schemaOf = async (name: string) =>
      (await service.call('GET', `/v2/schemas/${name}`)).body.data;
    expect((await schemaOf('accounts')).required).toEqual(['name']);
    expect((await schemaOf('users')).required).toEqual(['first_name', 'last_name']);
    expect(await schemaOf('api_auth')).toMatchObject({
      required: ['api_key'],
      additionalProperties: false,
      properties: { api_key: { type: 'string', minLength: 64, maxLength: 64 } },
    });
    expect([...(await schemaOf('ip')).required].sort()).toEqual(['host', 'ip', 'zone']);
    expect((await schemaOf('ips')).required ?? []).toEqual([]);
    expect((await schemaOf('accounts')).additionalProperties).not.toBe(false);
  });

  it.each(['nothing', '__proto__', 'constructor', 'toString'])('%s is none', async (name) => {
    const answer = await service.call('GET', `/v2/schemas/${name}`);
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(noSuch(name, 'nobody'));
  });

  describe('validation', () => {
    const validate = async (name: string, data: object) =>
      service.call('PUT', `/v2/schemas/${name}/validation`, {
        token: await service.tokenOf(3),
        body: { data },
      });

    it('answers valid data with the defaults filled in', async () => {
      const answer = await validate('users', { first_name: 'A', last_name: 'B', enabled: 'false' });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(
        success({
          first_name: 'A',
          last_name: 'B',
          enabled: false,
          priv_level: 'user',
          verified: false,
          require_password_update: false,
          vm_to_email_enabled: true,
          call_restriction: {},
          contact_list: {},
          music_on_hold: {},
          ringtones: {},
        }),
      );
    });

    it('answers everything that is wrong', async () => {
      const answer = await validate('ip', { ip: '1.2.3', zone: '' });
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual(
        invalid({
          ip: { not_one_schema_valid: { message: 'failed to validate', value: '1.2.3' } },
          zone: {
            minLength: {
              message: 'String must be at least 1 characters',
              target: 1,
              cause: '',
              value: '',
            },
          },
          host: { required: { message: 'Field is required but missing', value: 'host' } },
        }),
      );
    });

    it('needs a token and a schema', async () => {
      const path = '/v2/schemas/ips/validation';
      const anonymous = await service.call('PUT', path, { body: { data: {} } });
      expect(anonymous.body).toEqual(unauthenticated());
      expect((await validate('nothing', {})).body).toEqual(noSuch('nothing'));
      const read = await service.call('GET', path);
      expect(read.body).toEqual(
        failure(405, 'invalid_method', { message: 'method not allowed' }, 'nobody'),
      );
    });
  });
});
