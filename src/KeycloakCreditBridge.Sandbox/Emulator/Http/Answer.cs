using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>One HTTP answer with its body in bytes.</summary>
internal sealed record Answer(int Status, ReadOnlyMemory<byte> Body = default, string? ContentType = null, string? Location = null)
{
    public const string JsonType = "application/json;charset=UTF-8";

    public static Answer NoContent { get; } = new(StatusCodes.Status204NoContent);

    public static Answer Json(JsonNode body) =>
        new(StatusCodes.Status200OK, Encoding.UTF8.GetBytes(body.ToJsonString(EmulatorJson.Readable)), JsonType);

    public static Answer Json<T>(T body, JsonTypeInfo<T> type) =>
        new(StatusCodes.Status200OK, JsonSerializer.SerializeToUtf8Bytes(body, type), JsonType);

    public static Answer Created(string location) => new(StatusCodes.Status201Created, Location: location);

    public static Answer Redirect(string location, int status = StatusCodes.Status302Found) => new(status, Location: location);

    public static Answer Html(string page, int status = StatusCodes.Status200OK) =>
        new(status, Encoding.UTF8.GetBytes(page), "text/html;charset=utf-8");

    public async Task WriteAsync(HttpContext context)
    {
        context.Response.StatusCode = Status;
        context.Response.ContentType = ContentType;
        if (Location is not null)
            context.Response.Headers.Location = Location;
        if (Status == StatusCodes.Status204NoContent)
            return;
        context.Response.ContentLength = Body.Length;
        await context.Response.Body.WriteAsync(Body, context.RequestAborted);
    }
}
