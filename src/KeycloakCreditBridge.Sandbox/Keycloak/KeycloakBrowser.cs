using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Sandbox.Keycloak;

/// <summary>
/// Fills in Keycloak's own pages as a person would, each call with cookies of its own, so calls may run at once.
/// A call returns when Keycloak sent the person back to the application; a refused form throws with the page's message.
/// </summary>
internal sealed class KeycloakBrowser(Uri server)
{
    // The account console is a client of every realm; nobody has to listen at its address.
    private const string Client = "account-console";
    private const int MostSteps = 20;

    /// <summary>Registers by the realm's registration form (registrationAllowed must be on).</summary>
    public Task RegisterAsync(string realm, Person person, CancellationToken token) =>
        WalkAsync(realm, "registrations", "", AnswersOf(person), token);

    /// <summary>Signs in by the realm's login form.</summary>
    public Task LoginAsync(string realm, string username, string password, CancellationToken token) =>
        WalkAsync(realm, "auth", "", Credentials(username, password), token);

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
        return WalkAsync(realm, "auth", $"&kc_idp_hint={Uri.EscapeDataString(alias)}", answers, token);
    }

    private static Dictionary<string, string> Credentials(string username, string password) =>
        new() { ["username"] = username, ["password"] = password };

    private static Dictionary<string, string> AnswersOf(Person person) => new()
    {
        ["username"] = person.Username,
        ["email"] = person.Email,
        ["password"] = person.Password,
        ["password-confirm"] = person.Password,
        ["firstName"] = person.FirstName,
        ["lastName"] = person.LastName,
    };

    private async Task WalkAsync(string realm, string page, string more, Dictionary<string, string> answers, CancellationToken token)
    {
        using var handler = new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false };
        using var http = new HttpClient(handler);
        var cookies = new CookieJar();
        var home = new Uri(server, $"realms/{Uri.EscapeDataString(realm)}/account/");
        var (address, fields, asked) = (StartOf(realm, page, home, more), (Dictionary<string, string>?)null, "");
        for (var step = 0; step < MostSteps; step++)
        {
            var (next, html) = await SendAsync(http, cookies, address, fields, token);
            if (next?.AbsolutePath == home.AbsolutePath)
            {
                if (next.Query.Contains("error=", StringComparison.Ordinal))
                    throw new InvalidOperationException($"Keycloak sent the person back with {next.Query}");
                return;
            }
            if (next is not null)
            {
                (address, fields) = (next, null);
                continue;
            }
            var form = HtmlForm.Find(address, html, answers.Keys.Concat(["email", "firstName"]));
            // The same form again means that the answers were refused.
            if (form is null || form.Asks == asked)
                throw new InvalidOperationException($"Keycloak's page {address.AbsolutePath} did not go on: {HtmlForm.MessageOf(html)}");
            (address, fields, asked) = (form.Action, form.FilledWith(answers), form.Asks);
        }
        throw new InvalidOperationException($"Keycloak asked for more than {MostSteps} steps, the last at {address}");
    }

    private Uri StartOf(string realm, string page, Uri home, string more)
    {
        var challenge = Convert.ToBase64String(SHA256.HashData(Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64))))
            .TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return new Uri(server,
            $"realms/{Uri.EscapeDataString(realm)}/protocol/openid-connect/{page}?client_id={Client}&response_type=code&scope=openid" +
            $"&redirect_uri={Uri.EscapeDataString(home.AbsoluteUri)}&state=s&code_challenge={challenge}&code_challenge_method=S256{more}");
    }

    private static async Task<(Uri? Next, string Html)> SendAsync(
        HttpClient http, CookieJar cookies, Uri address, Dictionary<string, string>? fields, CancellationToken token)
    {
        using var request = new HttpRequestMessage(fields is null ? HttpMethod.Get : HttpMethod.Post, address);
        if (fields is not null)
            request.Content = new FormUrlEncodedContent(fields);
        cookies.Add(request);
        using var response = await http.SendAsync(request, token);
        cookies.Take(response);
        return response.Headers.Location is { } location
            ? (new Uri(address, location), "")
            : (null, await response.Content.ReadAsStringAsync(token));
    }
}
