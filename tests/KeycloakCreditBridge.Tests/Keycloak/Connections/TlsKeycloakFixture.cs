using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KeycloakCreditBridge.Tests.Keycloak.Connections;

/// <summary>A server over TLS whose certificate a CA of its own signed. It issues a token and knows nothing else.</summary>
internal sealed class TlsKeycloakFixture : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _folder = Directory.CreateTempSubdirectory("tls-keycloak-").FullName;

    private TlsKeycloakFixture(WebApplication app) => _app = app;

    public Uri Url => new(_app.Urls.Single().Replace("127.0.0.1", "localhost", StringComparison.Ordinal));

    /// <summary>The CA's certificate in PEM.</summary>
    public string CaFile => Path.Combine(_folder, "ca.pem");

    /// <param name="host">The name in the certificate.</param>
    /// <param name="validFor">How long from yesterday it is valid.</param>
    public static async Task<TlsKeycloakFixture> StartAsync(string host = "localhost", TimeSpan? validFor = null)
    {
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var caRequest = new CertificateRequest("CN=Private CA", caKey, HashAlgorithmName.SHA256);
        caRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var yesterday = DateTimeOffset.UtcNow.AddDays(-1);
        using var ca = caRequest.CreateSelfSigned(yesterday, yesterday.AddDays(30));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(ca, yesterday, yesterday + (validFor ?? TimeSpan.FromDays(20)), [1, 2, 3, 4]);
        var certificate = signed.CopyWithPrivateKey(key);

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var app = builder.Build();
        app.MapPost("/realms/{realm}/protocol/openid-connect/token", () => Results.Json(new { access_token = "token", expires_in = 60 }));
        await app.StartAsync(TestContext.Current.CancellationToken);
        var fixture = new TlsKeycloakFixture(app);
        await File.WriteAllTextAsync(fixture.CaFile, ca.ExportCertificatePem(), TestContext.Current.CancellationToken);
        return fixture;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
