using System.Buffers.Text;
using System.Security.Cryptography;
using KeycloakCreditBridge.Setup.Operators;

namespace KeycloakCreditBridge.Page.Shell;

/// <summary>The page's stylesheet and script, under addresses that change with their text.</summary>
internal sealed class Assets
{
    public const string Route = $"{PagePaths.Root}/assets/{{name}}";

    private readonly Dictionary<string, (byte[] Body, string Type)> _files = new(StringComparer.Ordinal);

    public Assets()
    {
        Style = Add("page.css", "text/css; charset=utf-8");
        Script = Add("page.js", "text/javascript; charset=utf-8");
    }

    public string Style { get; }

    public string Script { get; }

    public IResult Send(HttpContext context, string name)
    {
        if (!_files.TryGetValue(name, out var file))
            return TypedResults.NotFound();
        context.Response.Headers.CacheControl = "public, max-age=31536000, immutable";
        return TypedResults.Bytes(file.Body, file.Type);
    }

    private string Add(string file, string type)
    {
        using var stream = typeof(Assets).Assembly.GetManifestResourceStream($"{typeof(Assets).Namespace}.{file}")
            ?? throw new InvalidOperationException($"There is no embedded file {file}.");
        using var body = new MemoryStream();
        stream.CopyTo(body);
        var hash = Base64Url.EncodeToString(SHA256.HashData(body.ToArray()).AsSpan(0, 9));
        var name = $"{Path.GetFileNameWithoutExtension(file)}.{hash}{Path.GetExtension(file)}";
        _files[name] = (body.ToArray(), type);
        return $"{PagePaths.Root}/assets/{name}";
    }
}
