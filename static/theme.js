// Before the first paint, so that nothing flashes.
{
  let theme;
  try {
    theme = JSON.parse(localStorage.getItem("tailcast") ?? "{}").theme;
  } catch {
    // Kept from us: the system's.
  }
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
}
