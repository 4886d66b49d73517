namespace KeycloakCreditBridge.Sandbox.Emulator.Http;

/// <summary>Bodies of answers that are changed on their way to the caller.</summary>
internal static class AnswerBody
{
    /// <summary>Has the answer made, and sends half of its body.</summary>
    public static Task TruncateAsync(HttpContext context, RequestDelegate next) =>
        ChangeAsync(context, next, body => body[..(body.Length / 2)]);

    /// <summary>Has the answer made, and sends what becomes of its body. The change may set another status.</summary>
    public static async Task ChangeAsync(HttpContext context, RequestDelegate next, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>> change)
    {
        var body = context.Response.Body;
        using var whole = new MemoryStream();
        context.Response.Body = whole;
        await next(context);
        context.Response.Body = body;
        context.Response.ContentLength = null;
        await body.WriteAsync(change(whole.GetBuffer().AsMemory(0, (int)whole.Length)), context.RequestAborted);
    }
}
