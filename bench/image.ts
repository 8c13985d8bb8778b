// The image that every side of every benchmark gets.

/** As the loopback API has it. */
export const image = { deviceType: "raspberrypi4-64", version: "6.1.0" } as const;
