import { existsSync } from 'node:fs';

/** Where packages of browsers put SwiftShader, a driver for Vulkan that computes on the CPU. */
const DRIVERS = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/usr/lib64/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];

/**
 * The environment in which tests of the WebGPU backend find a driver on a machine without a GPU; empty where there is none,
 * or where the environment names one already.
 */
export function softwareVulkan() {
  if (process.env.VK_DRIVER_FILES !== undefined) return {};
  const driver = DRIVERS.find((file) => existsSync(file));
  return driver === undefined ? {} : { VK_DRIVER_FILES: driver };
}
