using KeycloakCreditBridge.Configuration;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Api;

/// <summary>What every HTTP route shares.</summary>
internal sealed class ApiOptions
{
    public const string Section = "Api";

    /// <summary>What `aud` of an access token must hold. The roles of this client count beside those of the realm.</summary>
    public string Audience { get; set; } = "credit-bridge";

    /// <summary>Proxies whose X-Forwarded-For is believed, as addresses or networks such as 10.0.0.0/8.</summary>
    [OfReplica]
    public List<string> KnownProxies { get; set; } = [];

    /// <summary>How many connections may be open at once; further ones are closed.</summary>
    public int MaxConnections { get; set; } = 4_096;

    /// <summary>How long a body may take from its first byte to its last.</summary>
    public TimeSpan BodyTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How many requests are accepted.</summary>
    [Hot]
    public RateLimitOptions RateLimits { get; set; } = new();
}

/// <summary>Requests a second. Ten seconds' worth may come at once.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>By each signed-in user or client.</summary>
    public int PerUser { get; set; } = 100;

    /// <summary>Of these, writes by each signed-in user without a role of the bridge's.</summary>
    public int WritesPerUser { get; set; } = 10;

    /// <summary>From each address.</summary>
    public int PerAddress { get; set; } = 1_000;

    /// <summary>Webhooks and gateway requests from each address: Keycloak and a gateway send for all of their users.</summary>
    public int Machines { get; set; } = 5_000;
}

internal sealed class ApiOptionsValidator : IValidateOptions<ApiOptions>
{
    public ValidateOptionsResult Validate(string? name, ApiOptions options)
    {
        List<string> problems = [];
        if (string.IsNullOrWhiteSpace(options.Audience))
            problems.Add("Api:Audience is empty: name the client that tokens are made for, such as credit-bridge.");
        if (options.MaxConnections is < 16 or > 1_000_000)
            problems.Add($"Api:MaxConnections is {options.MaxConnections}: choose 16 to 1000000 connections.");
        if (options.BodyTimeout < TimeSpan.FromSeconds(1) || options.BodyTimeout > TimeSpan.FromMinutes(10))
            problems.Add($"Api:BodyTimeout is {options.BodyTimeout}: choose 00:00:01 to 00:10:00.");
        for (var index = 0; index < options.KnownProxies.Count; index++)
            if (ProxyTrust.NetworkOf(options.KnownProxies[index]) is null)
                problems.Add(
                    $"Api:KnownProxies:{index} is '{options.KnownProxies[index]}': give an address or a network, "
                    + "such as 10.1.2.3 or 10.0.0.0/8.");
        Check("PerUser", options.RateLimits.PerUser);
        Check("WritesPerUser", options.RateLimits.WritesPerUser);
        Check("PerAddress", options.RateLimits.PerAddress);
        Check("Machines", options.RateLimits.Machines);
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);

        void Check(string key, int limit)
        {
            if (limit is < 1 or > 100_000)
                problems.Add($"Api:RateLimits:{key} is {limit}: choose 1 to 100000 requests a second.");
        }
    }
}
