using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

/// <summary>
/// Fills in Keycloak's own pages as a user would, each call with cookies of its own, so calls may run at once.
/// A call returns when Keycloak sent the browser back to the application; a refused form throws with the page's message.
/// </summary>
internal sealed class KeycloakBrowser(Uri server)
{
    // The account console is a client of every realm; no server has to listen at its address.
    private const string Client = "account-console";

    /// <summary>The user's address, as a proxy tells Keycloak; null without a proxy.</summary>
    public string? ForwardedFor { get; init; }

    /// <summary>Registers by the realm's registration form (registrationAllowed must be on).</summary>
    public Task RegisterAsync(string realm, SandboxUser user, CancellationToken token) =>
        WalkAsync(realm, "registrations", "", AnswersOf(user), token);

    /// <summary>Registers, and returns to an address with a query, such as `?utm_source=letter`.</summary>
    public async Task RegisterFromAsync(string realm, SandboxUser user, string query, CancellationToken token)
    {
        using var visit = new BrowserVisit(HomeOf(realm));
        await visit.CompleteFormsAsync(StartOf(realm, "registrations", "", query), AnswersOf(user), token);
    }

    /// <summary>Registers in a realm that verifies addresses, and opens the link that <paramref name="mail"/> then has.</summary>
    public async Task RegisterAndVerifyAsync(string realm, SandboxUser user, Func<Task<Uri>> mail, CancellationToken token)
    {
        using var visit = new BrowserVisit(HomeOf(realm));
        await visit.CompleteFormsAsync(
            StartOf(realm, "registrations", ""), AnswersOf(user), token,
            page => page.Query.Contains("VERIFY_EMAIL", StringComparison.Ordinal));
        await visit.OpenAsync(await mail(), token);
    }

    /// <summary>Registers by a link from a mail, as invitations have.</summary>
    public async Task RegisterByLinkAsync(string realm, Uri link, SandboxUser user, CancellationToken token)
    {
        using var visit = new BrowserVisit(HomeOf(realm));
        await visit.CompleteFormsAsync(link, AnswersOf(user), token);
    }

    /// <summary>Registers in a realm that asks for a passkey and for no password.</summary>
    public async Task RegisterWithPasskeyAsync(string realm, SandboxUser user, CancellationToken token)
    {
        var answers = AnswersOf(user);
        using var visit = new BrowserVisit(HomeOf(realm)) { Authenticator = new PasskeyAuthenticator(server) };
        await visit.CompleteFormsAsync(StartOf(realm, "registrations", ""), answers, token);
    }

    /// <summary>Signs in by the realm's login form.</summary>
    public Task LoginAsync(string realm, string username, string password, CancellationToken token) =>
        WalkAsync(realm, "auth", "", Credentials(username, password), token);

    /// <summary>Signs in and does one of Keycloak's required actions, such as UPDATE_PROFILE, with these answers.</summary>
    public Task PerformActionAsync(
        string realm, SandboxUser user, string action, Dictionary<string, string> answers, CancellationToken token)
    {
        var all = Credentials(user.Username, user.Password);
        foreach (var (field, value) in answers)
            all[field] = value;
        return WalkAsync(realm, "auth", $"&kc_action={action}", all, token);
    }

    /// <summary>Signs in and deletes the own account (delete_account must be on, and the user have the role).</summary>
    public async Task DeleteAccountAsync(string realm, SandboxUser user, CancellationToken token)
    {
        using var visit = new BrowserVisit(HomeOf(realm));
        var page = await visit.CompleteFormsAsync(
            StartOf(realm, "auth", "&kc_action=delete_account"), Credentials(user.Username, user.Password), token,
            page => page.Query.Contains("execution=delete_account", StringComparison.Ordinal));
        await visit.SubmitAsync(page, "kc-deleteaccount-form", token);
    }

    /// <summary>
    /// Signs in by the identity provider <paramref name="alias"/>: its login form, then the review-profile page if there is one, which is
    /// accepted as it is, with <paramref name="email"/> where it lacks an address.
    /// </summary>
    public Task LoginThroughBrokerAsync(
        string realm, string alias, string username, string password, CancellationToken token, string? email = null)
    {
        var answers = Credentials(username, password);
        if (email is not null)
            answers["email"] = email;
        return WalkAsync(realm, "auth", Hint(alias), answers, token);
    }

    /// <summary>The same, for the first time and closed at the last step: the user exists, and no event names it.</summary>
    public async Task AbandonBrokerLoginAsync(string realm, string alias, string username, string password, CancellationToken token)
    {
        using var visit = new BrowserVisit(HomeOf(realm))
        {
            ClosesAt = page => page.AbsolutePath.EndsWith("/after-first-broker-login", StringComparison.Ordinal),
        };
        await visit.CompleteFormsAsync(StartOf(realm, "auth", Hint(alias)), Credentials(username, password), token);
    }

    private static string Hint(string alias) => $"&kc_idp_hint={Uri.EscapeDataString(alias)}";

    private static Dictionary<string, string> Credentials(string username, string password) =>
        new() { ["username"] = username, ["password"] = password };

    private static Dictionary<string, string> AnswersOf(SandboxUser user) => new()
    {
        ["username"] = user.Username,
        ["email"] = user.Email,
        ["password"] = user.Password,
        ["password-confirm"] = user.Password,
        ["firstName"] = user.FirstName,
        ["lastName"] = user.LastName,
    };

    private async Task WalkAsync(string realm, string page, string more, Dictionary<string, string> answers, CancellationToken token)
    {
        using var visit = new BrowserVisit(HomeOf(realm)) { ForwardedFor = ForwardedFor };
        await visit.CompleteFormsAsync(StartOf(realm, page, more), answers, token);
    }

    private Uri HomeOf(string realm) => new(server, $"realms/{Uri.EscapeDataString(realm)}/account/");

    private Uri StartOf(string realm, string page, string more, string query = "")
    {
        var challenge = Convert.ToBase64String(SHA256.HashData(Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64))))
            .TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return new Uri(server,
            $"realms/{Uri.EscapeDataString(realm)}/protocol/openid-connect/{page}?client_id={Client}&response_type=code&scope=openid" +
            $"&redirect_uri={Uri.EscapeDataString(HomeOf(realm).AbsoluteUri + query)}&state=s" +
            $"&code_challenge={challenge}&code_challenge_method=S256{more}");
    }
}
