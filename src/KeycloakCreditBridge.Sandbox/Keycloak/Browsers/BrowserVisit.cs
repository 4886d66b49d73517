namespace KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

/// <summary>
/// One browser's way through Keycloak's pages, with its own cookies, until Keycloak redirects to <paramref name="home"/>.
/// </summary>
internal sealed class BrowserVisit(Uri home) : IDisposable
{
    private const int MaxSteps = 20;

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });
    private readonly CookieJar _cookies = new();

    /// <summary>Answers the page that asks for a passkey, if the user has one.</summary>
    public PasskeyAuthenticator? Authenticator { get; init; }

    /// <summary>The user's address, as a proxy tells Keycloak; null without a proxy.</summary>
    public string? ForwardedFor
    {
        get;
        init
        {
            field = value;
            if (value is not null)
                _http.DefaultRequestHeaders.Add("X-Forwarded-For", value);
        }
    }

    /// <summary>The redirect at which the browser is closed instead of following it.</summary>
    public Predicate<Uri>? ClosesAt { get; init; }

    /// <summary>
    /// Answers form after form until the browser is home, is closed, or shows a page that <paramref name="ends"/> accepts.
    /// </summary>
    public async Task<BrowserPage> CompleteFormsAsync(
        Uri start, Dictionary<string, string> answers, CancellationToken token, Predicate<Uri>? ends = null)
    {
        var (address, fields, asked) = (start, (Dictionary<string, string>?)null, "");
        for (var step = 0; step < MaxSteps; step++)
        {
            var (next, html) = await SendAsync(address, fields, token);
            if (next is not null && (IsHome(next) || ClosesAt?.Invoke(next) is true))
                return new BrowserPage(next, html);
            if (next is not null)
            {
                (address, fields) = (next, null);
                continue;
            }
            if (ends?.Invoke(address) is true)
                return new BrowserPage(address, html);
            var passkey = Authenticator?.Answer(html);
            var form = HtmlForm.Find(address, html, passkey?.Keys ?? answers.Keys.Concat(["email", "firstName"]));
            // The same form again means that the answers were refused.
            if (form is null || form.FieldNames == asked)
                throw new InvalidOperationException($"Keycloak's page {address.AbsolutePath} did not go on: {HtmlForm.MessageOf(html)}");
            var filled = form.FilledWith(passkey ?? answers);
            if (form.Fields.TryGetValue("totpSecret", out var secret))
                filled["totp"] = OneTimeCode.Of(secret, DateTimeOffset.UtcNow);
            (address, fields, asked) = (form.Action, filled, form.FieldNames);
        }
        throw new InvalidOperationException($"Keycloak asked for more than {MaxSteps} steps, the last at {address}");
    }

    /// <summary>Opens an address and follows where it leads, to a page or home.</summary>
    public async Task OpenAsync(Uri address, CancellationToken token)
    {
        while (!IsHome(address))
        {
            var (next, _) = await SendAsync(address, null, token);
            if (next is null)
                return;
            address = next;
        }
    }

    /// <summary>Submits a form without fields.</summary>
    public async Task SubmitAsync(BrowserPage page, string formId, CancellationToken token) =>
        await SendAsync(HtmlForm.ActionOf(page.Address, page.Html, formId), [], token);

    public void Dispose() => _http.Dispose();

    private bool IsHome(Uri next)
    {
        if (next.AbsolutePath != home.AbsolutePath)
            return false;
        return next.Query.Contains("error=", StringComparison.Ordinal)
            ? throw new InvalidOperationException($"Keycloak redirected back with {next.Query}")
            : true;
    }

    private async Task<(Uri? Next, string Html)> SendAsync(Uri address, Dictionary<string, string>? fields, CancellationToken token)
    {
        using var request = new HttpRequestMessage(fields is null ? HttpMethod.Get : HttpMethod.Post, address);
        if (fields is not null)
            request.Content = new FormUrlEncodedContent(fields);
        _cookies.AddTo(request);
        using var response = await _http.SendAsync(request, token);
        _cookies.Store(response);
        return response.Headers.Location is { } location
            ? (new Uri(address, location), "")
            : (null, await response.Content.ReadAsStringAsync(token));
    }
}

/// <summary>The address of a page and its HTML.</summary>
internal sealed record BrowserPage(Uri Address, string Html);
