"""What a person does, in a real browser: the Chromium of the system, driven by Playwright."""
