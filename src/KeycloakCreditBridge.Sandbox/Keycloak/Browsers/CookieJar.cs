namespace KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

/// <summary>
/// Cookies of one host by path and name. Keycloak marks its cookies Secure on 127.0.0.1 too, where browsers send them over plain HTTP;
/// <see cref="System.Net.CookieContainer"/> would not.
/// </summary>
internal sealed class CookieJar
{
    private readonly Dictionary<(string Path, string Name), string> _cookies = [];

    public void Store(HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues("Set-Cookie", out var lines))
            return;
        foreach (var parts in lines.Select(line => line.Split(';', StringSplitOptions.TrimEntries)))
        {
            var (name, value) = Split(parts[0]);
            var attributes = parts.Skip(1).Select(Split).ToLookup(part => part.Name, part => part.Value, StringComparer.OrdinalIgnoreCase);
            var key = (attributes["Path"].FirstOrDefault("/"), name);
            if (attributes["Max-Age"].Contains("0"))
                _cookies.Remove(key);
            else
                _cookies[key] = value;
        }
    }

    public void AddTo(HttpRequestMessage request)
    {
        var fitting = _cookies.Where(cookie => request.RequestUri!.AbsolutePath.StartsWith(cookie.Key.Path, StringComparison.Ordinal));
        var line = string.Join("; ", fitting.Select(cookie => $"{cookie.Key.Name}={cookie.Value}"));
        if (line.Length > 0)
            request.Headers.Add("Cookie", line);
    }

    private static (string Name, string Value) Split(string part) =>
        part.IndexOf('=', StringComparison.Ordinal) is var at and >= 0 ? (part[..at], part[(at + 1)..]) : (part, "");
}
