using KeycloakCreditBridge.Keycloak.ClientKeys;
using Microsoft.Extensions.Options;
using Npgsql;

namespace KeycloakCreditBridge.Keycloak;

/// <summary>Finds everything that is wrong with the options at once, each with its key and its cure.</summary>
internal sealed class KeycloakOptionsValidator : IValidateOptions<KeycloakOptions>
{
    public ValidateOptionsResult Validate(string? name, KeycloakOptions options)
    {
        var problems = ServerProblems(options)
            .Concat(options.Realms.SelectMany((realm, index) => RealmProblems(options, realm, index)))
            .Select(problem => $"{KeycloakOptions.Section}:{problem}")
            .ToList();
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private static IEnumerable<string> ServerProblems(KeycloakOptions options)
    {
        if (UrlProblem(options.Url) is { } problem)
            yield return $"Url {problem}: give Keycloak's address, for example https://sso.example.com or https://sso.example.com/auth.";
        if (options.PublicUrl is { Length: > 0 } publicUrl && UrlProblem(publicUrl) is { } publicProblem)
            yield return
                $"PublicUrl {publicProblem}: give the address that browsers use, for example https://sso.example.com, or leave it out.";
        // A timer cannot wait longer than about 49 days, and no request should wait for many minutes.
        if (options.RequestTimeout <= TimeSpan.Zero || options.RequestTimeout > TimeSpan.FromMinutes(10))
            yield return $"RequestTimeout is {options.RequestTimeout}: give a time up to ten minutes, for example 00:00:30.";
        if (options.Database.ConnectionString is { Length: > 0 } text && !IsConnectionString(text))
            yield return
                "Database:ConnectionString is no Npgsql connection string: give one such as Host=db;Database=keycloak;Username=reader, " +
                "or leave it out.";
        if (SecretMask.Covers(options.ClientSecret))
            yield return "ClientSecret is what Keycloak shows in place of a secret: give the secret itself.";
        if (KeyProblem(options) is { } keyProblem)
            yield return keyProblem;
        if (options.Realms.Count == 0)
            yield return "Realms is empty: name at least one realm to watch, for example Keycloak__Realms__0__Name=customers.";
    }

    private static string? KeyProblem(KeycloakOptions options)
    {
        if (!Enum.IsDefined(options.ClientAuthentication))
            return $"ClientAuthentication is {options.ClientAuthentication}: choose Secret or PrivateKeyJwt.";
        if (options.ClientAuthentication == ClientAuthentication.Secret)
            return options.PrivateKeyFile.Length == 0
                ? null
                : "PrivateKeyFile is not used with ClientAuthentication Secret: set that to PrivateKeyJwt, or leave the file out.";
        if (options.PrivateKeyFile.Length == 0)
            return "PrivateKeyFile is empty: name a PEM file with the private key of the client, "
                + "made by `openssl ecparam -name prime256v1 -genkey -noout`.";
        try
        {
            using var key = ClientKey.Read(options.PrivateKeyFile);
            return null;
        }
        catch (ClientKeyException exception)
        {
            return $"PrivateKeyFile is '{options.PrivateKeyFile}', which {exception.Message}.";
        }
    }

    private static IEnumerable<string> MaskedSecrets(RealmOptions realm)
    {
        if (SecretMask.Covers(realm.ClientSecret))
            yield return "ClientSecret";
        for (var secret = 0; secret < realm.WebhookSecrets.Count; secret++)
            if (SecretMask.Covers(realm.WebhookSecrets[secret]))
                yield return $"WebhookSecrets:{secret}";
    }

    private static bool IsConnectionString(string text)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(text).Host is { Length: > 0 };
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    /// <summary>The address itself is not repeated, since it may hold a password.</summary>
    private static string? UrlProblem(string url)
    {
        if (string.IsNullOrWhiteSpace(url))
            return "is empty";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            return "is no http or https address";
        if (address.UserInfo.Length > 0)
            return "holds a user or a password";
        return address.Query.Length > 0 || address.Fragment.Length > 0 ? "holds a query or a fragment" : null;
    }

    private static IEnumerable<string> RealmProblems(KeycloakOptions options, RealmOptions realm, int index)
    {
        var key = $"Realms:{index}";
        // Addresses drop dot segments, so these two could never be asked for.
        if (string.IsNullOrWhiteSpace(realm.Name))
            yield return $"{key}:Name is empty: name the realm as Keycloak does.";
        else if (realm.Name is "." or "..")
            yield return $"{key}:Name is '{realm.Name}': name the realm as Keycloak does.";
        else if (options.Realms.FindIndex(other => other.Name == realm.Name) is var first && first != index)
            yield return $"{key}:Name repeats '{realm.Name}' of {KeycloakOptions.Section}:Realms:{first}: configure each realm once.";

        if (string.IsNullOrWhiteSpace(realm.ClientId) && string.IsNullOrWhiteSpace(options.ClientId))
            yield return $"{key}:ClientId is empty, and so is {KeycloakOptions.Section}:ClientId: name the bridge's client.";
        if (options.ClientAuthentication == ClientAuthentication.Secret
            && string.IsNullOrWhiteSpace(realm.ClientSecret) && string.IsNullOrWhiteSpace(options.ClientSecret))
            yield return $"{key}:ClientSecret is empty, and so is {KeycloakOptions.Section}:ClientSecret: "
                + "give the secret that Keycloak shows at the client's credentials, or a long random text "
                + "that `setup keycloak` gives to the client.";

        foreach (var secretKey in MaskedSecrets(realm))
            yield return $"{key}:{secretKey} is what Keycloak shows in place of a secret: give the secret itself.";
        if (!Enum.IsDefined(realm.FederatedUsers))
            yield return $"{key}:FederatedUsers is {realm.FederatedUsers}: choose All or OnFirstLogin.";
        if (realm.WebhookSecrets.Count > 2)
            yield return $"{key}:WebhookSecrets has {realm.WebhookSecrets.Count} entries: give one, or two while one replaces the other.";
        for (var secret = 0; secret < realm.WebhookSecrets.Count; secret++)
            if (string.IsNullOrWhiteSpace(realm.WebhookSecrets[secret]))
                yield return $"{key}:WebhookSecrets:{secret} is empty: give the webhook's secret or remove the entry.";
    }
}
