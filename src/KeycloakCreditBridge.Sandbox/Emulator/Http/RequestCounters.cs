using System.Collections.Concurrent;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>How often each address was asked for, such as <c>GET /admin/realms/{realm}/users</c>.</summary>
internal sealed class RequestCounters
{
    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);

    public int this[string methodAndTemplate] => _counts.GetValueOrDefault(methodAndTemplate);

    public IReadOnlyDictionary<string, int> All => _counts;

    public void Reset() => _counts.Clear();

    public void Count(HttpContext context)
    {
        var template = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "unknown";
        _counts.AddOrUpdate($"{context.Request.Method} {template}", 1, (_, count) => count + 1);
    }
}
