import { expect, it } from 'vitest';
import { faultOfPlatform, requirePlatform } from './platform.js';

const on = (id: string, more: { glibc?: string; release?: string } = {}): Parameters<typeof requirePlatform>[0] => {
  const [system, architecture] = id.split(' ') as [string, string];
  return { system, architecture, glibc: more.glibc, release: more.release ?? '' };
};

it.each([
  ['linux x64', { glibc: '2.27' }, 'linux-x64', 'manylinux_2_27_x86_64'],
  ['linux arm64', { glibc: '2.36' }, 'linux-arm64', 'manylinux_2_36_aarch64'],
  ['darwin arm64', { release: '21.6.0' }, 'darwin-arm64', 'macosx_12_0_arm64'],
  ['win32 x64', {}, 'win32-x64', 'win_amd64'],
])('finds the wheels of %s', (id, more, target, platform) => {
  const host = requirePlatform(on(id, more), 'cpu');
  expect([host.target.id, host.pipPlatforms[0]]).toEqual([target, platform]);
});

it('asks for older manylinux wheels too, and keeps bindings of another glibc apart', () => {
  const { pipPlatforms, runtime } = requirePlatform(on('linux arm64', { glibc: '2.31' }), 'cpu');
  expect(pipPlatforms).toContain('manylinux_2_27_aarch64');
  expect(pipPlatforms.at(-1)).toBe('manylinux2014_aarch64');
  expect(runtime).toBe('glibc 2.31');
});

it.each([
  ['darwin x64', {}, /not published for this system.*darwin x64.*webgpu.*wasm.*Node that is built for arm64/],
  ['win32 arm64', {}, /not published for this system.*win32 arm64.*webgpu.*Windows x64\./],
  ['freebsd x64', {}, /not published.*freebsd x64.*webgpu.*Linux x64, Linux arm64, macOS on Apple silicon/],
  ['darwin arm64', { release: '20.6.0' }, /macOS 12 or later.*Darwin 20\.6\.0.*webgpu/],
  ['linux x64', {}, /glibc 2\.27 or later.*Alpine.*node:22-slim/],
  ['linux arm64', { glibc: '2.17' }, /glibc 2\.17.*webgpu/],
])('refuses %s with %o, and says what computes there', (id, more, message) => {
  expect(() => requirePlatform(on(id, more), 'cpu')).toThrow(message);
});

it.each(['linux arm64', 'darwin arm64', 'win32 x64'])('has a build with CUDA for Linux x64, and none for %s', (id) => {
  expect(faultOfPlatform(on('linux x64', { glibc: '2.36' }), 'cuda')).toBeUndefined();
  expect(() => requirePlatform(on(id, { glibc: '2.36', release: '23.0.0' }), 'cuda')).toThrow(
    /with CUDA is published for Linux x64 only.*leave --gpu out/,
  );
});
