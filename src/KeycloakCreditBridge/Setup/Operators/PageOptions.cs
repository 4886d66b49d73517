using KeycloakCreditBridge.Keycloak;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Setup.Operators;

/// <summary>The operator page, and the client of Keycloak that operators sign in with.</summary>
internal sealed class PageOptions
{
    public const string Section = "Page";

    /// <summary>Whether the page is served. Without it there are no routes, no cookies and no client.</summary>
    public bool Enabled { get; set; }

    /// <summary>The address at which browsers reach the bridge, such as https://credits.example.com; the page is below /page.</summary>
    public string Url { get; set; } = "";

    /// <summary>The realm that operators sign in to, one of Keycloak:Realms; the first of them when empty.</summary>
    public string Realm { get; set; } = "";

    /// <summary>The client that operators sign in with.</summary>
    public string ClientId { get; set; } = "credit-bridge-page";

    /// <summary>That client's secret.</summary>
    public string ClientSecret { get; set; } = "";

    /// <summary>Encrypts what sessions hold. The same in all replicas; at least 32 characters.</summary>
    public string KeysSecret { get; set; } = "";

    /// <summary>How long a session lasts without a request.</summary>
    public TimeSpan SessionIdle { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>How long a session lasts at most.</summary>
    public TimeSpan SessionLifetime { get; set; } = TimeSpan.FromHours(8);

    /// <summary>Whether browsers reach the page by https.</summary>
    public bool IsSecure => Url.StartsWith("https:", StringComparison.OrdinalIgnoreCase);

    /// <summary>The realm that operators sign in to.</summary>
    public string RealmOf(KeycloakOptions keycloak) => Realm.Length > 0 ? Realm : keycloak.Realms[0].Name;

    /// <summary>A path of the page as browsers and Keycloak call it.</summary>
    public string AddressOf(string path) => $"{Url.TrimEnd('/')}{path}";
}

/// <summary>Paths of the page that Keycloak knows.</summary>
internal static class PagePaths
{
    public const string Root = "/page";

    public const string SignedIn = $"{Root}/signed-in";

    public const string SignedOut = $"{Root}/signed-out";

    public const string BackChannelLogout = $"{Root}/back-channel-logout";
}

internal sealed class PageOptionsValidator(IConfiguration configuration) : IValidateOptions<PageOptions>
{
    private const int ShortestSecret = 32;

    public ValidateOptionsResult Validate(string? name, PageOptions options)
    {
        List<string> problems = [.. options.Enabled ? Problems(options) : []];
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private IEnumerable<string> Problems(PageOptions options)
    {
        if (!Uri.TryCreate(options.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https")
            || url.AbsolutePath.TrimEnd('/').Length > 0 || url.Query.Length > 0 || url.UserInfo.Length > 0)
            yield return $"Page:Url is '{options.Url}': give the address at which browsers reach the bridge, without a path, "
                + "such as https://credits.example.com.";
        else if (url is { Scheme: "http", IsLoopback: false })
            yield return $"Page:Url is '{options.Url}': cookies of operators need https; plain http is for this machine alone.";
        var realms = configuration.GetSection("Keycloak:Realms").GetChildren().Select(realm => realm["Name"]).ToList();
        if (options.Realm.Length > 0 && !realms.Contains(options.Realm, StringComparer.Ordinal))
            yield return $"Page:Realm is '{options.Realm}', which is none of Keycloak:Realms: name one of these, or leave it out.";
        if (options.ClientId.Length == 0)
            yield return "Page:ClientId is empty: name the client that operators sign in with, such as credit-bridge-page.";
        if (options.ClientSecret.Length == 0)
            yield return "Page:ClientSecret is empty: give the secret of that client; `setup keycloak` makes the client with it.";
        if (options.KeysSecret.Length < ShortestSecret)
            yield return $"Page:KeysSecret has {options.KeysSecret.Length} characters: give at least {ShortestSecret}, the same to all "
                + "replicas, made by `openssl rand -base64 32`.";
        if (options.SessionIdle < TimeSpan.FromMinutes(1) || options.SessionIdle > TimeSpan.FromHours(8))
            yield return $"Page:SessionIdle is {options.SessionIdle}: choose 00:01:00 to 08:00:00.";
        if (options.SessionLifetime < options.SessionIdle || options.SessionLifetime > TimeSpan.FromHours(24))
            yield return $"Page:SessionLifetime is {options.SessionLifetime}: choose Page:SessionIdle to 1.00:00:00.";
    }
}
