using System.Net;
using System.Text.RegularExpressions;
using KeycloakCreditBridge.Sandbox.Keycloak.Browsers;

namespace KeycloakCreditBridge.Tests.Page;

/// <summary>A browser without JavaScript on the operator page, with cookies of its own.</summary>
internal sealed partial class PageBrowser(Uri bridge) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false });
    private readonly CookieJar _cookies = new();

    /// <summary>What forms of the session carry; empty before the sign-in.</summary>
    public string FormToken { get; set; } = "";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Signs in through Keycloak's form, beginning at a screen of the page. Returns that screen, or what came instead.</summary>
    public async Task<PageAnswer> SignInAsync(string username, string password = "A-long-passphrase-1", string path = "/page")
    {
        var answer = await FollowAsync(new Uri(bridge, path));
        var form = HtmlForm.Find(answer.Address, answer.Body, ["username"]) ?? throw new InvalidOperationException(answer.Body);
        var fields = form.FilledWith(new Dictionary<string, string> { ["username"] = username, ["password"] = password });
        var signedIn = await FollowAsync(form.Action, fields);
        FormToken = TokenField().Match(signedIn.Body).Groups["token"].Value;
        return signedIn;
    }

    /// <summary>One request, without following a redirect.</summary>
    public async Task<PageAnswer> SendAsync(
        HttpMethod method, string path, Dictionary<string, string>? fields = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(bridge, path));
        if (headers.All(header => header.Name != "Accept"))
            request.Headers.Add("Accept", "text/html");
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        if (fields is not null)
            request.Content = new FormUrlEncodedContent(fields);
        return await SendAsync(request);
    }

    public Task<PageAnswer> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    /// <summary>Sends a form of the page as a browser does.</summary>
    public Task<PageAnswer> PostAsync(string path, params (string Name, string Value)[] fields)
    {
        var form = fields.ToDictionary(field => field.Name, field => field.Value);
        form.TryAdd("form_token", FormToken);
        return SendAsync(HttpMethod.Post, path, form, ("Sec-Fetch-Site", "same-origin"));
    }

    /// <summary>Follows redirects to the page at their end.</summary>
    public async Task<PageAnswer> FollowAsync(Uri address, Dictionary<string, string>? fields = null)
    {
        for (var steps = 0; steps < 20; steps++)
        {
            using var request = new HttpRequestMessage(fields is null ? HttpMethod.Get : HttpMethod.Post, address);
            request.Headers.Add("Accept", "text/html");
            if (fields is not null)
                request.Content = new FormUrlEncodedContent(fields);
            var answer = await SendAsync(request);
            if (answer.Location is not { } next)
                return answer;
            (address, fields) = (next, null);
        }

        throw new InvalidOperationException($"There is no end of redirects at {address}.");
    }

    public void Dispose() => _http.Dispose();

    private async Task<PageAnswer> SendAsync(HttpRequestMessage request)
    {
        _cookies.AddTo(request);
        using var response = await _http.SendAsync(request, Token);
        _cookies.Store(response);
        var location = response.Headers.Location is { } next ? new Uri(request.RequestUri!, next) : null;
        return new PageAnswer(
            request.RequestUri!, response.StatusCode, await response.Content.ReadAsStringAsync(Token), location,
            response.Headers.Concat(response.Content.Headers)
                .ToDictionary(header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase));
    }

    [GeneratedRegex("name=\"form_token\" value=\"(?<token>[^\"]+)\"")]
    private static partial Regex TokenField();
}

/// <param name="Location">Where the answer redirects to; null when it does not.</param>
internal sealed record PageAnswer(
    Uri Address, HttpStatusCode Status, string Body, Uri? Location, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The heading of a screen.</summary>
    public string Heading => Regex.Match(Body, "<h1>(.*?)</h1>", RegexOptions.Singleline).Groups[1].Value;
}
